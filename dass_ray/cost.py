"""Exact parameters and FLOPs of students, from their specs alone, vectorised over students.

FLOPs are those of one image's forward pass through convolutions and the linear head, two for each
multiply-accumulate, which is the convention of `torch.utils.flop_counter`.
Letters as in `space`: N students, S stages, D blocks of the deepest stage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dass_ray.space import Space, Specs


@dataclass(frozen=True)
class Cost:
    """Parameters and FLOPs of N students, int64 [N] each, and ms [N] where a table is known."""

    params: NDArray[np.int64]
    flops: NDArray[np.int64]
    latency: NDArray[np.float64] | None = None

    def at(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Cost":
        """Those of some of the students."""
        latency = None if self.latency is None else self.latency[index]
        return Cost(self.params[index], self.flops[index], latency)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> "Cost":
        """Those of all students, one part after the other; latency is in all parts or in none."""
        timed = [part.latency for part in parts if part.latency is not None]
        return cls(
            np.concatenate([part.params for part in parts]),
            np.concatenate([part.flops for part in parts]),
            np.concatenate(timed) if timed else None,
        )


def cost(space: Space, specs: Specs, classes: int) -> Cost:
    """The cost of students [N, S, D] with a head of `classes` outputs."""
    width = specs.astype(np.int64)
    inputs = input_widths(width)
    weights = 9 * (inputs * width + width * width)  # two 3x3 convolutions a block
    sides = space.image_size // np.cumprod(space.strides)
    head = width[np.arange(len(width)), -1, (width[:, -1] > 0).sum(axis=1) - 1]
    stem = width[:, 0, 0]
    norms = 4 * width.sum(axis=(1, 2)) + 2 * stem
    params = weights.sum(axis=(1, 2)) + 27 * stem + norms + (head + 1) * classes
    macs = (weights.sum(axis=2) * sides**2).sum(axis=1) + 27 * stem * space.image_size**2
    return Cost(params, 2 * (macs + head * classes))


def input_widths(width: NDArray[np.int64]) -> NDArray[np.int64]:
    """[N, S, D]: channels that enter each block; 0 where there is no block."""
    depth = (width > 0).sum(axis=2)
    last = np.take_along_axis(width, depth[..., None] - 1, axis=2)[..., 0]
    inputs = np.zeros_like(width)
    inputs[:, :, 1:] = width[:, :, :-1]
    inputs[:, 0, 0] = width[:, 0, 0]  # the stem has the first block's width
    inputs[:, 1:, 0] = last[:, :-1]
    return np.where(width > 0, inputs, 0)
