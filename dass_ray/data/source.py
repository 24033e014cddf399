"""What an importer reads: labelled splits whose images can be brought to one size."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

Labels = npt.NDArray[np.int64]  # [N], indices of classes
Pixels = npt.NDArray[np.uint8]  # [N,3,S,S]

UNLABELLED = -1
"""The label of training images without one: students are distilled on them, nothing else."""
PIECE = 512
"""About how many images are in a piece, where the kind of the source leaves that open. A Ray task
for each costs its driver 20 ms, as much as 200 small images cost a worker."""
NATURAL_MAX = 64  # px; small images keep their size by default, others become this


class Unreadable(NamedTuple):
    """An image that could not be decoded."""

    row: int  # in its split
    name: str
    reason: str


class EncodedImage(NamedTuple):
    """An image file's name and the way to its bytes, which is called where it is decoded."""

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class Piece:
    """Images of a split that can be read without its others, maybe on another node: picklable.

    first: the row of its first image. images: can be walked more than once.
    """

    first: int
    count: int
    images: Callable[[], Iterator[EncodedImage]]

    def numbered(self) -> Iterator[tuple[int, EncodedImage]]:
        """Each image with its row in the split."""
        return zip(range(self.first, self.first + self.count), self.images(), strict=True)


def in_order(parts: Iterable[tuple[int, Callable[[], Iterator[EncodedImage]]]]) -> list[Piece]:
    """The pieces of a split: of each, how many images it has and the way to them."""
    pieces: list[Piece] = []
    first = 0
    for count, images in parts:
        pieces.append(Piece(first, count, images))
        first += count
    return pieces


class Decoder(Protocol):
    """Decodes the pieces of one split: in threads (threads.py), or on a cluster."""

    def __call__(
        self, pieces: Sequence[Piece], out: Pixels, on_image: Callable[[], None]
    ) -> list[Unreadable]:
        """Images into their rows of `out`, where it is black; the unreadable ones, by row.

        `on_image` is called once an image, from the calling thread.
        """
        ...


class RawSplit(Protocol):
    """One split of a source, not yet decoded."""

    @property
    def labels(self) -> Labels:
        """The class of each image; UNLABELLED where there are none."""
        ...

    def side(self) -> int | None:
        """The images' own side in px if all are square, of one size and at most 64, else None."""
        ...

    def pixels_into(
        self, out: Pixels, on_image: Callable[[], None], decoder: Decoder
    ) -> list[Unreadable]:
        """All images, centre-cropped to squares, into `out`, which is black; see Decoder.

        `decoder` is for files of images; arrays have no need of it.
        """
        ...


@dataclass(frozen=True)
class Source:
    """A source that was recognised. splits: `train` and maybe `validation` and `test`."""

    description: str
    classes: tuple[str, ...]
    splits: dict[str, RawSplit]
