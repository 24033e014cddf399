"""Our sampler: proposes whole students, guided by an emulator of the predictor.

Before each batch an emulator is fitted to what was scored; students are evolved on it by the
thousand (NSGA-II's selection, whole stages crossed over); limits are kept exactly, since costs are
known; and most of the batch are products of a few good beginnings with many good endings, because
students that begin alike are scored several times as fast (models/prefix_tree.py).
Sources: surrogate-assisted evolution, Jin, "Surrogate-assisted evolutionary computation", 2011;
optimism as in Srinivas et al., "Gaussian Process Optimization in the Bandit Setting", 2010.
Letters: N students, S stages, D blocks, K objectives.
"""

from collections import deque
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import Study
from optuna.trial import FrozenTrial

from dass_ray.config import Objective
from dass_ray.explore.archive import Archive, Candidates, joined, keys
from dass_ray.explore.emulator import TUNED_ON, Emulator, Scales, tuned
from dass_ray.explore.evolution import Evolution, emulated, unique
from dass_ray.explore.front import order
from dass_ray.explore.variables import Variables
from dass_ray.limits import Costs, Limits
from dass_ray.space import Specs

LEARNED = 1024  # students that an emulator is fitted to: half of them the best, the rest at random
FEWEST = 16  # scored students, below which nothing is learned from them
PARENTS = 128  # scored students that evolution begins with
ALIKE = 16  # students of a batch for each beginning
FREE = 0.125  # share of a batch that may begin anywhere
WALK = 8  # mutations of a random student
LOOKED_FOR = 2048  # random students at the least, where too few new ones turned up otherwise


class Guided(BaseSampler):  # type: ignore[misc] # Optuna has no types here
    """Proposes batches of students; `batch` of them are worked out at a time.

    archive: what was scored, which the owner keeps up to date.
    """

    def __init__(
        self,
        variables: Variables,
        costs: Costs,
        limits: Limits,
        objectives: Sequence[Objective],
        archive: Archive,
        batch: int,
        seed: int,
    ) -> None:
        self.variables, self.costs, self.limits = variables, costs, limits
        self.objectives, self.archive, self.batch = objectives, archive, batch
        self.rng = np.random.default_rng(seed)
        self.queue = deque[dict[str, int]]()
        self.scales: Scales | None = None
        self.elite: Candidates | None = None
        self.tuned_at = self.ranked = 0  # candidates known when the scales and the elite were made

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All variables: a student is proposed as a whole."""
        return dict(self.variables.distributions)

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The next student of the batch, or the first of a new one."""
        if not self.queue:
            self.queue.extend(self.variables.params(self.propose(self.batch)))
        return dict(self.queue.popleft())

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:  # noqa: ANN401 - Optuna's signature
        """Never asked for, since every variable is proposed relative to the others."""
        raise AssertionError(f"{param_name} is no variable of a student")

    def propose(self, n: int) -> Specs:
        """n students [n, S, D] within the limits, new ones where there are some left."""
        if len(self.archive) < FEWEST:
            return self._filled(self._random(0), n)
        evolution = Evolution(
            self.costs, self.limits, emulated(self.objectives), self._emulator(), self.rng
        )
        pool = evolution.pool(self._elite().specs[:PARENTS])
        alike = self._new(evolution.products(pool, max(1, n // ALIKE)))
        chosen = [
            evolution.best(alike, n - round(FREE * n)).specs,
            evolution.best(self._new(pool), n).specs,
            self._new(evolution.priced(self._random(n))).specs,
        ]
        return self._filled(unique(np.concatenate(chosen))[:n], n)

    def _filled(self, distinct: Specs, n: int) -> Specs:
        """n students [n, S, D]: these, new random ones, and where none are left, any."""
        if len(distinct) < n:
            more = self._random(max(LOOKED_FOR, 2 * n))
            distinct = unique(np.concatenate([distinct, more[self._unasked(more)]]))[:n]
        return np.concatenate([distinct, self._random(n - len(distinct))])

    def _new(self, some: Candidates) -> Candidates:
        """Those that were not asked for yet."""
        return some.at(self._unasked(some.specs))

    def _unasked(self, specs: Specs) -> NDArray[np.bool_]:
        """[N]: which students were not asked for yet."""
        asked = self.archive.asked
        return np.array([name not in asked for name in keys(specs)], bool)

    def _elite(self) -> Candidates:
        """The best scored students, best first; only new ones are ranked among them."""
        known = self.archive.all
        new = known.at(np.arange(self.ranked, len(known)))
        both = new if self.elite is None else joined([self.elite, new])
        violation = self.limits.excess(both.cost).max(axis=1)
        best = order(both.minimised(self.objectives), violation, LEARNED // 2)
        self.elite, self.ranked = both.at(best), len(known)
        return self.elite

    def _random(self, n: int) -> Specs:
        """n students within the limits: what walks of mutations from known ones come to."""
        within = [part.specs[self.limits.met(part.cost)] for part in self.archive.parts]
        space = self.costs.space
        start = np.concatenate([space.pack([space.smallest]), *within])
        walks = start[self.rng.integers(len(start), size=n)]
        for _ in range(WALK):
            moved = space.mutate(walks, self.rng)
            met = self.limits.met(self.costs(moved))
            walks = np.where(met[:, None, None], moved, walks)
        return walks

    def _emulator(self) -> Emulator:
        """Learned from the best scored students, and from random ones of the rest."""
        known, best = self.archive.all, self._elite()
        others = self.rng.permutation(len(known))[: LEARNED - len(best)]
        some = joined([best, known.at(others)])
        _, first = np.unique(some.specs, axis=0, return_index=True)
        some = some.at(first)
        if self.scales is None or len(known) >= 2 * self.tuned_at:
            few = some.at(self.rng.permutation(len(some))[:TUNED_ON])
            self.scales = tuned(self.costs.space, few.specs, few.cost, few.predicted)
            self.tuned_at = len(known)
        return Emulator.fit(self.costs.space, some.specs, some.cost, some.predicted, self.scales)
