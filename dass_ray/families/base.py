"""What a student family says of its networks, without building one.

A network has a stem, stages of blocks and a head. A family decides what a block is: which numbers
describe it, and what it costs. The networks themselves are `Family.network`, see `models.network`.
Letters: N students, S stages, D the deepest stage's number of blocks, G numbers of a block.
"""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from dass_ray.frozen import Frozen

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Reals = NDArray[np.float64]
Block = int | tuple[int, ...]
"""A block's width in channels; or its width, and what else its family lets vary."""


class Layout(Frozen):
    """The numbers of a space: its images, and how wide and deep the stages of its networks are."""

    name: str
    """Name of the space."""
    image_size: int = Field(ge=8)
    """Side of the images in px; others are resized."""
    widths: tuple[Annotated[int, Field(ge=1, le=np.iinfo(np.int16).max)], ...] = Field(min_length=1)
    """Channels of each stage at full width."""
    strides: tuple[Annotated[int, Field(ge=1)], ...]
    """Stride of each stage's first block."""
    max_depth: int = Field(default=5, ge=1)
    """Most blocks of a stage."""
    multipliers: tuple[float, ...] = tuple(0.5 + i / 16 for i in range(9))
    """Widths that a block may have, as shares of its stage's."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.widths) != len(self.strides):
            raise ValueError("widths and strides need one entry for each stage")
        if self.image_size % int(np.prod(self.strides)):
            raise ValueError("image_size must be a multiple of the product of the strides")
        if min(self.multipliers) <= 0 or max(self.multipliers) != 1.0:
            raise ValueError("multipliers must be above 0 with 1.0 as the largest")
        return self

    @property
    def width_choices(self) -> tuple[tuple[int, ...], ...]:
        """The widths that the multipliers give each stage, ascending, in channels."""
        return tuple(
            tuple(sorted({max(1, int(w * m + 0.5)) for m in self.multipliers})) for w in self.widths
        )

    @property
    def sides(self) -> Ints:
        """[S]: height and width of each stage's maps, in px."""
        sides: Ints = self.image_size // np.cumprod(self.strides)
        return sides

    def pixels(self, stage: int, first: Bools) -> tuple[int, Ints]:
        """Of the maps that blocks of a stage make, and [...] of those that go into them.

        first [...]: whether a block is the first of its stage, which has the stride.
        """
        made = int(self.sides[stage]) ** 2
        return made, np.where(first, self.strides[stage] ** 2, 1) * made


class Family(Frozen, ABC):
    """One kind of network. Its fields are what a space of this family may set."""

    network: ClassVar[str]
    """Where the class of its networks is, as `module:name`."""
    name: str
    """Name of the family."""

    @classmethod
    def presets(cls) -> tuple[tuple[Layout, Self], ...]:
        """The spaces of this family that can be asked for by name."""
        return ()

    @abstractmethod
    def blocks(self, layout: Layout) -> tuple[tuple[Block, ...], ...]:
        """What a block of each stage may be: the cheapest first, the teacher's last, ascending.

        The first number of a block is its width in channels; any other one is 0 to 15.
        """

    def ends(self, layout: Layout) -> tuple[Block, ...]:
        """What the very last block may be; by default all that its stage's blocks may be.

        A student takes over the teacher's head, so what enters the head must not vary.
        """
        return self.blocks(layout)[-1]

    @abstractmethod
    def stem_width(self, layout: Layout, first: Ints) -> Ints:
        """[N]: channels that the stem gives to first blocks of widths [N]."""

    @abstractmethod
    def cost(self, layout: Layout, blocks: Ints, classes: int) -> tuple[Ints, Ints]:
        """Exact parameters, and multiply-accumulates of one image's forward pass, int64 [N] each.

        Of students with blocks [N, G, S, D], 0 where there is none, and a head of `classes`
        outputs. Batch norms have parameters but count as no work.
        """

    def work(self, layout: Layout, stage: int, first: Bools, entering: Ints, blocks: Ints) -> Reals:
        """[..., W]: what the time of blocks is taken to be linear in, in each stage, for latency.

        blocks [G, ...]: their numbers; first [...]: whether they are the first of their stage, into
        which maps of the stage before go; entering [...]: channels. Zeros where the width is 0.
        By default: that there is a block, the numbers that it reads and writes, and the product of
        all its numbers, of the channels and of the pixels.
        """
        pixels, read = layout.pixels(stage, first)
        moved = read * entering + pixels * blocks[0]
        columns = (blocks[0] > 0, moved, pixels * entering * blocks.prod(axis=0))
        return np.stack([np.asarray(column, np.float64) for column in columns], axis=-1)


def inputs(widths: Ints, stem: Ints) -> Ints:
    """[N, S, D]: channels that enter each block of widths [N, S, D]; 0 where there is no block.

    stem [N]: those that enter the first one.
    """
    depth = (widths > 0).sum(axis=2)
    last = np.take_along_axis(widths, depth[..., None] - 1, axis=2)[..., 0]
    found = np.zeros_like(widths)
    found[:, :, 1:] = widths[:, :, :-1]
    found[:, 0, 0] = stem
    found[:, 1:, 0] = last[:, :-1]
    return np.where(widths > 0, found, 0)


def last_widths(widths: Ints) -> Ints:
    """[N]: the width of the very last block of students [N, S, D]."""
    found: Ints = widths[np.arange(len(widths)), -1, (widths[:, -1] > 0).sum(axis=1) - 1]
    return found
