"""Exact parameters and FLOPs of students, from their specs alone, vectorised over students.

FLOPs are those of one image's forward pass through convolutions and the linear head, two for each
multiply-accumulate, which is the convention of `torch.utils.flop_counter`.
Letters as in `space`: N students, S stages, D blocks of the deepest stage.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.space import Space, Spec, Specs

_WALKS = 2048  # students drawn at once
_MIXING, _STEPS = 50, 100  # mutations of two genes each; a space has some 40 genes


@dataclass(frozen=True)
class Cost:
    """Parameters and FLOPs of N students, int64 [N] each."""

    params: NDArray[np.int64]
    flops: NDArray[np.int64]


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


class Limits(Frozen):
    """Upper limits of a search; None is no limit. Parameters are counted, FLOPs for one image."""

    params: int | None = Field(default=None, ge=1)
    flops: int | None = Field(default=None, ge=1)

    def excess(self, costs: Cost) -> NDArray[np.float64]:
        """[N, 2] relative excess over each limit (parameters, FLOPs); 0 or less is within."""
        pairs = ((costs.params, self.params), (costs.flops, self.flops))
        columns = [used / limit - 1 if limit else np.full(len(used), -1.0) for used, limit in pairs]
        return np.stack(columns, axis=1)

    def met(self, costs: Cost) -> NDArray[np.bool_]:
        """[N]: which students are within every limit."""
        within: NDArray[np.bool_] = np.all(self.excess(costs) <= 0, axis=1)
        return within

    def check(self, space: Space, classes: int) -> None:
        """UserError where no student of the space meets the limits."""
        least = cost(space, space.pack([space.smallest]), classes)
        if not self.met(least)[0]:
            raise UserError(
                f"no student of {space.name!r} meets the limits: the smallest one has "
                f"{least.params[0]:,} parameters and {least.flops[0]:,} FLOPs; raise limits.*"
            )


def sample_within(
    space: Space, limits: Limits, classes: int, n: int, rng: np.random.Generator
) -> list[Spec]:
    """`n` different random students that meet the limits, or fewer where there are hardly any.

    Uniform draws are kept where they meet the limits. Where few do, walks of accepted mutations
    from the smallest student, of `_MIXING` steps, reach the corner of the space that is left.
    UserError where no student meets the limits.
    """
    limits.check(space, classes)
    drawn = space.sample(_WALKS, rng)
    drawn = drawn[limits.met(cost(space, drawn, classes))]
    found = dict.fromkeys(space.unpack(drawn))
    walks = np.repeat(space.pack([space.smallest]), _WALKS, axis=0)
    for step in range(_STEPS):
        if len(found) >= n:
            break
        moved = space.mutate(walks, rng)
        met = limits.met(cost(space, moved, classes))
        walks = np.where(met[:, None, None], moved, walks)
        if step >= _MIXING:
            found.update(dict.fromkeys(space.unpack(walks)))
    return list(found)[:n]
