"""What students cost in all, and the upper limits of a search."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dass_ray.cost import Cost, cost
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.latency import LatencyTable
from dass_ray.space import Space, Spec, Specs

_WALKS = 2048  # students drawn at once
_MIXING, _STEPS = 50, 100  # mutations of two genes each; a space has some 40 genes


@dataclass(frozen=True)
class Costs:
    """Prices students of a space with a head of `classes` outputs; with their ms, by a table."""

    space: Space
    classes: int
    table: LatencyTable | None = None

    def __call__(self, specs: Specs) -> Cost:
        """Of students [N, S, D]."""
        found = cost(self.space, specs, self.classes)
        if self.table is None:
            return found
        return Cost(found.params, found.flops, self.table.milliseconds(specs))


class Limits(Frozen):
    """Upper limits; None is no limit. Parameters are counted, FLOPs for one image, latency in ms.

    Latency is that of one forward pass as the search's latency table was measured.
    """

    params: int | None = Field(default=None, ge=1)
    """Parameters."""
    flops: int | None = Field(default=None, ge=1)
    """FLOPs of one image, two for each multiply-accumulate."""
    latency: float | None = Field(default=None, gt=0)
    """ms of one forward pass, by the search's latency table."""

    def excess(self, costs: Cost) -> NDArray[np.float64]:
        """[N, 3] relative excess over each limit, in their order; 0 or less is within."""
        columns = []
        for name in type(self).model_fields:
            used, limit = getattr(costs, name), getattr(self, name)
            columns.append(used / limit - 1 if limit else np.full(len(costs.params), -1.0))
        return np.stack(columns, axis=1)

    def met(self, costs: Cost) -> NDArray[np.bool_]:
        """[N]: which students are within every limit."""
        within: NDArray[np.bool_] = np.all(self.excess(costs) <= 0, axis=1)
        return within

    def check(self, costs: Costs) -> None:
        """UserError where no student of the space meets the limits."""
        least = costs(costs.space.pack([costs.space.smallest]))
        if not self.met(least)[0]:
            ms = "" if least.latency is None else f" and {least.latency[0]:.3g} ms"
            raise UserError(
                f"no student of {costs.space.name!r} meets the limits: the smallest one has "
                f"{least.params[0]:,} parameters, {least.flops[0]:,} FLOPs{ms}; raise limits.*"
            )


def sample_within(costs: Costs, limits: Limits, n: int, rng: np.random.Generator) -> list[Spec]:
    """`n` different random students that meet the limits, or fewer where there are hardly any.

    Uniform draws are kept where they meet the limits. Where few do, walks of accepted mutations
    from the smallest student, of `_MIXING` steps, reach the corner of the space that is left.
    UserError where no student meets the limits.
    """
    limits.check(costs)
    space = costs.space
    drawn = space.sample(_WALKS, rng)
    drawn = drawn[limits.met(costs(drawn))]
    found = dict.fromkeys(space.unpack(drawn))
    walks = np.repeat(space.pack([space.smallest]), _WALKS, axis=0)
    for step in range(_STEPS):
        if len(found) >= n:
            break
        moved = space.mutate(walks, rng)
        met = limits.met(costs(moved))
        walks = np.where(met[:, None, None], moved, walks)
        if step >= _MIXING:
            found.update(dict.fromkeys(space.unpack(walks)))
    return list(found)[:n]
