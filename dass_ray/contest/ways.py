"""Ways to find students without the predictor: a zero-cost score, and a search by real KD."""

import time
from collections.abc import Callable

import numpy as np
from optuna.samplers import TPESampler

from dass_ray.config import CompareConfig
from dass_ray.cost import Cost
from dass_ray.data.dataset import Dataset
from dass_ray.data.shown import normalised
from dass_ray.explore.archive import Candidates
from dass_ray.explore.study import Explorer
from dass_ray.limits import Costs, sample_within
from dass_ray.models.network import StagedNetwork, build
from dass_ray.models.remap import remap
from dass_ray.space import Spec, Specs
from dass_ray.watch import Watcher
from dass_ray.zero_cost.catalogue import SCORES

STARTS = 3  # of the KD search: one of so many runs is random, the others are TPE's
ASKS = 200  # proposals for each run, most of which may lie outside of tight limits
Distil = Callable[[Spec], float]
"""A student -> its validation accuracy after real distillation."""


def by_zero_cost(
    config: CompareConfig,
    costs: Costs,
    teacher: StagedNetwork,
    data: Dataset,
    score: str,
    watcher: Watcher,
) -> tuple[list[Spec], float]:
    """The `verify.top` students of highest score among a random pool, and seconds of scoring."""
    rng = np.random.default_rng([config.seed, 2])  # neither the explorer's stream nor the random's
    pool = sample_within(costs, config.limits, config.pool, rng)
    images, labels = normalised(data, config.images)
    watcher.phase(f"scoring by {score}", len(pool))
    started, scores = time.perf_counter(), np.empty(len(pool))
    for i, spec in enumerate(pool):
        student = remap(teacher, build(teacher.space, spec, teacher.classes)).eval()
        scores[i] = SCORES[score](student, teacher, images, labels)
        watcher.step(i + 1, str(spec))
    seconds = time.perf_counter() - started
    best = np.argsort(-np.nan_to_num(scores, nan=-np.inf), kind="stable")[: config.verify.top]
    return [pool[i] for i in best], seconds


def by_kd(
    config: CompareConfig, costs: Costs, runs: int, distil: Distil, watcher: Watcher
) -> list[Spec]:
    """The students of a search by real distillation, TPE's, one run after the other.

    Told what each reached, and how far it is from the limits; what lies outside costs no run.
    """
    explorer = Explorer(config.model_copy(update={"sampler": "tpe", "batch": STARTS}), costs)
    explorer.study.sampler = TPESampler(
        n_startup_trials=max(STARTS, runs // STARTS), multivariate=True, seed=config.seed
    )
    found: dict[Spec, float] = {}
    watcher.phase("searching by distillation", runs)
    for _ in range(ASKS * runs):
        trials, specs = explorer.ask(1)
        (spec,), cost, reached = config.space.unpack(specs), costs(specs), 0.0
        if config.limits.met(cost)[0]:
            if spec not in found:
                found[spec] = distil(spec)
                watcher.step(len(found), f"best {max(found.values()):.1%}")
            reached = found[spec]
        explorer.tell(trials, _told(specs, reached, cost))
        if len(found) == runs:
            break
    return list(found)


def _told(specs: Specs, accuracy: float, cost: Cost) -> Candidates:
    return Candidates(specs, np.array([accuracy]), np.zeros(1), cost)
