"""What an importer reads: labelled splits whose images can be brought to one size."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]  # [N], indices of classes
Pixels = npt.NDArray[np.uint8]  # [N,3,S,S]

UNLABELLED = -1
"""The label of training images without one: students are distilled on them, nothing else."""
NATURAL_MAX = 64  # px; small images keep their size by default, others become this


class Unreadable(NamedTuple):
    """An image that could not be decoded."""

    row: int  # in its split
    name: str
    reason: str


class RawSplit(Protocol):
    """One split of a source, not yet decoded."""

    @property
    def labels(self) -> Labels:
        """The class of each image; UNLABELLED where there are none."""
        ...

    def side(self) -> int | None:
        """The images' own side in px if all are square, of one size and at most 64, else None."""
        ...

    def pixels(self, size: int, on_image: Callable[[], None]) -> tuple[Pixels, list[Unreadable]]:
        """All images, centre-cropped to squares of `size` px; those of unreadable rows are black.

        `on_image` is called once an image, from the calling thread.
        """
        ...


@dataclass(frozen=True)
class Source:
    """A source that was recognised. splits: `train` and maybe `validation` and `test`."""

    description: str
    classes: tuple[str, ...]
    splits: dict[str, RawSplit]
