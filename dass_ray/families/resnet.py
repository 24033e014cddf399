"""Residual networks of basic blocks: two 3x3 convolutions of one width, shortcuts without weights.

Source of the space: Lee et al., "Meta-prediction Model for Distillation-Aware NAS on Unseen
Datasets", ICLR 2023; here stage widths, depths and multipliers are data.
"""

from typing import ClassVar, Literal, Self

import numpy as np

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

_LANES = 16  # channels that vector units take at once, float32 of AVX-512


class ResNetBlocks(Family):
    """A block is its width. The last one keeps the full width, which the head is made for."""

    network: ClassVar[str] = "dass_ray.models.resnet:ResNet"
    name: Literal["resnet"] = "resnet"

    @classmethod
    def presets(cls) -> tuple[tuple[Layout, Self], ...]:
        """`micro` for CPUs, `paper` as in the source."""
        micro, paper = (8, 16, 32, 64), (32, 64, 128, 256)
        strides = (1, 2, 2, 2)
        return (
            (Layout(name="micro", image_size=16, widths=micro, strides=strides), cls()),
            (Layout(name="paper", image_size=64, widths=paper, strides=strides), cls()),
        )

    def blocks(self, layout: Layout) -> tuple[tuple[Block, ...], ...]:
        """A block may have any of its stage's widths."""
        return layout.width_choices

    def ends(self, layout: Layout) -> tuple[Block, ...]:
        """The full width alone."""
        return (layout.widths[-1],)

    def stem_width(self, layout: Layout, first: Ints) -> Ints:
        """The stem has the first block's width."""
        return first

    def cost(self, layout: Layout, blocks: Ints, classes: int) -> tuple[Ints, Ints]:
        """See `Family.cost`."""
        width = blocks[:, 0]
        stem, head = width[:, 0, 0], last_widths(width)
        entering = inputs(width, self.stem_width(layout, stem))
        weights = 9 * (entering * width + width * width)  # two 3x3 convolutions a block
        norms = 4 * width.sum(axis=(1, 2)) + 2 * stem
        params = weights.sum(axis=(1, 2)) + 27 * stem + norms + (head + 1) * classes
        macs = (weights.sum(axis=2) * layout.sides**2).sum(axis=1)
        return params, macs + 27 * stem * layout.image_size**2 + head * classes

    def work(self, layout: Layout, stage: int, first: Bools, entering: Ints, blocks: Ints) -> Reals:
        """[..., 4]; chosen by the error on students that took no part (docs/PERFORMANCE.md).

        That there is a block; channels x pixels that it reads and writes; its multiply-accumulates;
        the same with channels rounded up to what vector units take at once.
        """
        pixels, read = layout.pixels(stage, first)
        width, (padded, wide) = blocks[0], (_rounded(entering), _rounded(blocks[0]))
        macs = [9 * (entering * width + width * width), 9 * (padded * wide + wide * wide)]
        moved = read * entering + pixels * 2 * width
        columns = [width > 0, moved, *(pixels * column for column in macs)]
        return np.stack([np.asarray(column, dtype=np.float64) for column in columns], axis=-1)


def _rounded(channels: Ints) -> Ints:
    return -(-channels // _LANES) * _LANES
