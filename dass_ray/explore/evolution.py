"""Students evolved on an emulator, by the thousand.

Source: NSGA-II's selection (Deb et al., 2002), whole stages crossed over, about two genes mutated.
Letters: N students, S stages, D blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dass_ray.config import Objective
from dass_ray.explore.archive import MAXIMISED, Candidates, joined
from dass_ray.explore.emulator import Emulator
from dass_ray.explore.front import order
from dass_ray.limits import Costs, Limits
from dass_ray.space import Specs

GENERATIONS, PARENTS, CHILDREN = 12, 128, 512
ENDINGS = 256  # that each beginning is tried with
HOPED_FOR = 4  # times the students wanted, by the emulator's mean, are looked at for its doubt


def emulated(objectives: Sequence[Objective]) -> list[Objective]:
    """Objectives as an emulator knows them: it tells one accuracy."""
    return ["accuracy" if name in MAXIMISED else name for name in objectives]


def unique(specs: Specs) -> Specs:
    """Each of the students [N, S, D] once, where it first came."""
    _, first = np.unique(specs, axis=0, return_index=True)
    return specs[np.sort(first)]


@dataclass(frozen=True)
class Evolution:
    """A search among students whose accuracy is emulated."""

    costs: Costs
    limits: Limits
    objectives: Sequence[Objective]
    emulator: Emulator
    rng: np.random.Generator

    def pool(self, parents: Specs) -> Candidates:
        """All different students within the limits that evolution came by, parents included."""
        alive = self._within(parents)
        seen = [alive]
        for _ in range(GENERATIONS):
            born = self._within(self._children(alive.specs if len(alive) else parents))
            seen.append(born)
            both = self._distinct(joined([alive, born]))  # or copies of the best take over
            alive = both.at(self._ranked(both, PARENTS))
        return self._distinct(joined(seen))

    def products(self, pool: Candidates, beginnings: int) -> Candidates:
        """The best beginnings (first half of the stages), each with many good endings.

        Those within the limits.
        """
        ranked = pool.specs[self._ranked(pool, len(pool))]
        half = ranked.shape[1] // 2
        heads = unique(ranked[:, :half])[:beginnings]
        tails = ranked[: ENDINGS // 2]
        tails = unique(np.concatenate([tails, self.costs.space.mutate(tails, self.rng)])[:, half:])
        each = np.concatenate(
            [
                np.repeat(heads, len(tails), axis=0),
                np.tile(tails, (len(heads), 1, 1)),
            ],
            axis=1,
        )
        return self._distinct(self._within(each))

    def best(self, some: Candidates, n: int) -> Candidates:
        """The n best of them where the emulator's doubt counts in their favour."""
        hoped = some.at(self._ranked(some, HOPED_FOR * n))
        if len(hoped) == 0:
            return hoped
        bright = self.emulator.optimistic(hoped.specs, hoped.cost)
        return hoped.at(
            self._ranked(Candidates(hoped.specs, bright, hoped.uncertainty, hoped.cost), n)
        )

    def priced(self, specs: Specs) -> Candidates:
        """Students [N, S, D] with what the emulator and their widths tell."""
        cost = self.costs(specs)
        accuracy = self.emulator.predict(specs, cost) if len(specs) else np.empty(0)
        return Candidates(specs, accuracy, np.zeros(len(specs)), cost)

    def _within(self, specs: Specs) -> Candidates:
        return self.priced(specs[self.limits.met(self.costs(specs))])

    def _distinct(self, some: Candidates) -> Candidates:
        _, first = np.unique(some.specs, axis=0, return_index=True)
        return some.at(np.sort(first))

    def _children(self, parents: Specs) -> Specs:
        """[CHILDREN, S, D]: half of them with whole stages of two parents; all mutated."""
        a, b = (parents[self.rng.integers(len(parents), size=CHILDREN)] for _ in range(2))
        crossed = self.costs.space.crossover(a, b, self.rng)
        mixed = np.where((self.rng.random(CHILDREN) < 0.5)[:, None, None], crossed, a)
        return self.costs.space.mutate(mixed, self.rng)

    def _ranked(self, some: Candidates, most: int) -> NDArray[np.int64]:
        return order(some.minimised(self.objectives), np.zeros(len(some)), most)
