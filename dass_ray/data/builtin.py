"""Data sets that need no download, and the way from any name to a data set."""

import numpy as np
import torch
from torch import Tensor

from dass_ray.data.card import has_dataset
from dass_ray.data.dataset import Dataset, Split, load_dataset, write_dataset
from dass_ray.data.naming import textures_seed
from dass_ray.data.resize import resize
from dass_ray.data.splits import carve
from dass_ray.data.textures import textures
from dass_ray.store.base import Store

DIGITS_SIZE = 16  # px; the originals have 8, too few for four stages


def resolve(store: Store, name: str) -> Dataset:
    """The data set of that name: the store's, else a built-in one, which is then in the store.

    Built-in are `digits` and `textures:<seed>`. Raises UserError for any other name that the store
    does not have, with the nearest names.
    """
    if not has_dataset(store, name):
        seed = textures_seed(name)
        if name == "digits":
            _write(store, name, *digits(), seed=0)
        elif seed is not None:
            images, labels = textures(seed)
            _write(store, name, torch.from_numpy(images), torch.from_numpy(labels), seed)
    return load_dataset(store, name)


def digits() -> tuple[Tensor, Tensor]:
    """The 1,797 handwritten digits of scikit-learn, 8 px of 17 greys, enlarged bilinearly.

    Returns images uint8 [N,3,16,16] and labels int64 [N].
    """
    from sklearn.datasets import load_digits  # noqa: PLC0415 - 1 s that other data need not pay

    bunch = load_digits()
    grey = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    images = torch.from_numpy(grey)[:, None].repeat(1, 3, 1, 1)
    return resize(images, DIGITS_SIZE), torch.from_numpy(bunch.target.astype(np.int64))


def _write(store: Store, name: str, images: Tensor, labels: Tensor, seed: int) -> None:
    rows = carve(labels.numpy(), ["validation", "test"], seed)
    splits = {split: Split(images[some], labels[some]) for split, some in rows.items()}
    classes = [str(label) for label in range(int(labels.max()) + 1)]
    write_dataset(store, name, splits, classes, f"built-in {name}, splits carved with seed {seed}")
