"""What the runs of a task share, as arrays: Ray keeps them once a node and copies none of them.

Workers see the object store's own memory, which is read-only. Nothing in KD writes to images,
labels or logits.
"""

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import Dataset, Split, load_dataset
from dass_ray.kd.views import SoftLabels
from dass_ray.store import open_store

Arrays = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class PackedData:
    """A data set of a space's image size; `arrays` are those of its three splits and statistics.

    A large one has none: each node makes files of it, which its processes map.
    """

    card: DatasetCard
    arrays: Arrays
    size: int  # px
    uri: str  # of the store

    @classmethod
    def of(cls, data: Dataset, uri: str) -> "PackedData":
        """The data set's arrays, on the host; uri: of the store that it is in."""
        if data.is_large:
            return cls(data.card, {}, data.image_size, uri)
        arrays = {"mean": data.mean.numpy(), "std": data.std.numpy()}
        for name, split in data.splits.items():
            arrays |= {
                f"{name}.images": split.images.numpy(),
                f"{name}.labels": split.labels.numpy(),
            }
        return cls(data.card, arrays, data.image_size, uri)

    def unpack(self) -> Dataset:
        """The same data set, on the host, over the same memory."""
        if not self.arrays:
            stored = load_dataset(open_store(self.uri, write=False, known=True), self.card.name)
            return stored.resized(self.size)
        tensors = {name: tensor(array) for name, array in self.arrays.items()}
        splits = {
            name: Split(tensors[f"{name}.images"], tensors[f"{name}.labels"])
            for name in ("train", "validation", "test")
        }
        return Dataset(self.card, **splits, mean=tensors["mean"], std=tensors["std"])


@dataclass(frozen=True)
class PackedLabels:
    """A teacher's soft labels: float16 [V, N, K]."""

    logits: NDArray[np.float16]

    @classmethod
    def of(cls, labels: SoftLabels) -> "PackedLabels":
        """The logits' array."""
        return cls(labels.logits.numpy())

    def unpack(self) -> SoftLabels:
        """The same labels over the same memory."""
        return SoftLabels(tensor(self.logits))


def tensor(array: NDArray[Any]) -> Tensor:
    """A tensor over an array's memory, which may be read-only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
