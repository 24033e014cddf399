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
    params, macs = space.family.cost(space, space.decoded(specs), classes)
    return Cost(params, 2 * macs)
