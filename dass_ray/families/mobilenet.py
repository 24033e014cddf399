"""Inverted bottlenecks: widen by a 1x1 convolution, filter each channel alone, narrow again.

Source: Sandler et al., "MobileNetV2", CVPR 2018. Here every block may have its own width and its
own expansion, so shortcuts are cut or zero-padded where widths differ, as in the family resnet.
"""

from itertools import product
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from dass_ray.families.base import (
    Block,
    Bools,
    Family,
    Ints,
    Layout,
    Reals,
    inputs,
    last_widths,
)
from dass_ray.families.codes import RADIX


class MobileNetBlocks(Family):
    """A block is its width and its expansion, as in `16x3`: inner channels / channels that enter.

    Stem and the last 1x1 convolution have a width of their own, which does not vary.
    """

    network: ClassVar[str] = "dass_ray.models.mobilenet:MobileNet"
    name: Literal["mobilenet"] = "mobilenet"
    expansions: tuple[Annotated[int, Field(ge=1, lt=RADIX)], ...] = Field((2, 4, 6), min_length=1)
    """What a block's expansion may be, ascending."""
    stem: int = Field(default=16, ge=1)
    """Channels of the first convolution."""
    head: int = Field(default=256, ge=1)
    """Channels of the last 1x1 convolution, which the linear head sees."""

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        if list(self.expansions) != sorted(set(self.expansions)):
            raise ValueError("expansions must ascend, as in [2, 4, 6]")
        return self

    @classmethod
    def presets(cls) -> tuple[tuple[Layout, Self], ...]:
        """`micro-mobile` for CPUs, `paper-mobile` at the size of the paper's space."""
        micro, paper = (8, 16, 24, 32), (24, 32, 64, 128)
        strides = (1, 2, 2, 2)
        return (
            (
                Layout(
                    name="micro-mobile", image_size=16, widths=micro, strides=strides, max_depth=4
                ),
                cls(expansions=(2, 3, 4), stem=8, head=128),
            ),
            (
                Layout(name="paper-mobile", image_size=64, widths=paper, strides=strides),
                cls(expansions=(2, 4, 6), stem=32, head=512),
            ),
        )

    def blocks(self, layout: Layout) -> tuple[tuple[Block, ...], ...]:
        """Any of its stage's widths with any expansion."""
        return tuple(tuple(product(widths, self.expansions)) for widths in layout.width_choices)

    def stem_width(self, layout: Layout, first: Ints) -> Ints:
        """The same for all."""
        same: Ints = 0 * first + self.stem
        return same

    def cost(self, layout: Layout, blocks: Ints, classes: int) -> tuple[Ints, Ints]:
        """See `Family.cost`."""
        width, expansion = blocks[:, 0], blocks[:, 1]
        entering = inputs(width, self.stem_width(layout, width[:, 0, 0]))
        inner, last = entering * expansion, last_widths(width)
        widen, rest = entering * inner, 9 * inner + inner * width
        norms = 2 * (2 * inner + width).sum(axis=(1, 2)) + 2 * (self.stem + self.head)
        stem, tail, head = 27 * self.stem, last * self.head, self.head * classes
        params = (widen + rest).sum(axis=(1, 2)) + norms + stem + tail + head + classes
        pixels = layout.sides**2
        widen[:, :, 0] *= np.square(layout.strides)  # before the stride, on more pixels
        macs = ((widen + rest).sum(axis=2) * pixels).sum(axis=1) + tail * pixels[-1] + head
        return params, macs + stem * layout.image_size**2

    def work(self, layout: Layout, stage: int, first: Bools, entering: Ints, blocks: Ints) -> Reals:
        """[..., 4]: that there is a block; what it reads and writes; MACs of the 1x1 convolutions;
        MACs of the 3x3 one.
        """
        pixels, read = layout.pixels(stage, first)
        width, inner = blocks[0], entering * blocks[1]
        moved = read * (entering + 2 * inner) + pixels * (2 * inner + width)
        pointwise = read * entering * inner + pixels * inner * width
        columns = (width > 0, moved, pointwise, 9 * pixels * inner)
        return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=-1)
