"""Samplers beside each other: what each finds in the same time, and what its bookkeeping costs.

Everything runs in one process, on one thread, so that its CPU time is the work.
"""

import resource
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dass_ray.config import SearchConfig
from dass_ray.data.builtin import resolve
from dass_ray.errors import UserError
from dass_ray.explore.archive import Candidates
from dass_ray.explore.front import is_front
from dass_ray.explore.study import Explorer
from dass_ray.kd.teachers import list_teachers, load_net
from dass_ray.limits import Costs
from dass_ray.predictor import checkpoint
from dass_ray.predictor.memory import keep_freed_memory
from dass_ray.predictor.scorer import TaskScorer
from dass_ray.space import MICRO, Specs
from dass_ray.store.base import Store

Floats = NDArray[np.float64]
SAMPLERS = ("guided", "nsga2", "tpe", "random")
CLASSES = 10


@dataclass(frozen=True)
class Found:
    """What one search of a sampler found in its time."""

    sampler: str
    seed: int
    candidates: int
    best: float  # predicted accuracy within the limits
    volume: float  # of (accuracy, log FLOPs) that the front dominates; see `volume`


def samplers(store: Store, base: SearchConfig, seconds: float, seeds: Sequence[int]) -> list[Found]:
    """Every sampler for so many CPU seconds by each seed, on a task of a store, predictor and all.

    By the process's own clock, and in turn, so that other programs and drift are unfair to none.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    scorer = _scorer(store, base)
    found = []
    for seed in seeds:
        for name in SAMPLERS:
            config = base.model_copy(update={"sampler": name, "seed": seed})
            found.append(_search(scorer, config, seconds))
    return found


def _scorer(store: Store, config: SearchConfig) -> TaskScorer:
    """Of the task's first teacher in the store; UserError without one."""
    cards = [
        card for card in list_teachers(store)
        if card.dataset == config.dataset.replace(":", "-") and card.space == config.space
    ]  # fmt: skip
    if not cards:
        raise UserError(
            f"{store.uri} has no teacher of {config.dataset!r}: "
            f"run `dass-ray teacher train -d {config.dataset}` first"
        )
    card = cards[0]
    _, predictor = checkpoint.load(store, config.predictor, config.space)
    data = resolve(store, card.dataset).resized(config.space.image_size)
    return TaskScorer(predictor, load_net(store, card), card.validation, data)


def _search(scorer: TaskScorer, config: SearchConfig, seconds: float) -> Found:
    costs = Costs(config.space, scorer.teacher.classes)
    explorer, known = Explorer(config, costs), dict[bytes, tuple[float, float]]()
    ends = time.process_time() + seconds
    count = 0
    while time.process_time() < ends:
        trials, specs = explorer.ask(config.batch)
        explorer.tell(trials, _scored(scorer, costs, specs, known))
        count += len(specs)
    every = explorer.archive.all
    within = every.at(config.limits.met(every.cost))
    best = float(within.predicted.max(initial=0))
    return Found(config.sampler, config.seed, count, best, volume(config, costs, within))


def _scored(
    scorer: TaskScorer, costs: Costs, specs: Specs, known: dict[bytes, tuple[float, float]]
) -> Candidates:
    """Scores of students [N, S, D]; those that were scored before are known."""
    names = [spec.tobytes() for spec in specs]
    new = [i for i, name in enumerate(names) if name not in known]
    if new:
        found = scorer.score(specs[new])
        pairs = zip(found.predicted.tolist(), found.uncertainty.tolist(), strict=True)
        known |= zip([names[i] for i in new], pairs, strict=True)
    columns = np.array([known[name] for name in names])
    return Candidates(specs, columns[:, 0], columns[:, 1], costs(specs))


def volume(config: SearchConfig, costs: Costs, some: Candidates) -> float:
    """Hypervolume of predicted accuracy over log FLOPs, by the limits' range, in [0, 1].

    From accuracy 0 and the teacher's FLOPs (or the limit), to 1 and the smallest student's.
    """
    space = config.space
    ends = costs(space.pack([space.smallest, space.teacher])).flops.astype(float)
    low, high = np.log(ends[0]), np.log(min(ends[1], config.limits.flops or np.inf))
    points = np.stack([-some.predicted, np.log(some.cost.flops)], axis=1)
    front = points[is_front(points)]
    front = front[np.argsort(front[:, 1])]
    edges = np.append(front[:, 1], high).clip(low, high)
    return float((np.diff(edges) * -front[:, 0]).sum() / (high - low))


def growth(sampler: str, sizes: Sequence[int], batch: int) -> Iterator[dict[str, float]]:
    """Cost of a sampler's own work as candidates grow, with scores that cost nothing.

    For each size: candidates/s since the size before, and the process's peak memory in GiB.
    """
    config = SearchConfig.parse(
        {"dataset": "none", "sampler": sampler, "candidates": max(sizes), "batch": batch},
        "the bench's settings",
    )
    costs = Costs(MICRO, CLASSES)
    explorer, count, started, before = Explorer(config, costs), 0, time.perf_counter(), 0
    for size in sizes:
        while count < size:
            trials, specs = explorer.ask(min(batch, size - count))
            explorer.tell(trials, _made_up(costs, specs))
            count += len(specs)
        now = time.perf_counter()
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        yield {
            "candidates": count,
            "candidates_per_s": (count - before) / (now - started),
            "peak_gib": peak,
        }
        started, before = now, count


def _made_up(costs: Costs, specs: Specs) -> Candidates:
    """A smooth accuracy with an optimum inside of the space."""
    price = costs(specs)
    apart = (MICRO.vectors(specs) - 0.7).astype(np.float64) ** 2
    accuracy = 0.5 + 0.2 * np.exp(-apart.sum(axis=1) / 8)
    return Candidates(specs, accuracy, np.full(len(specs), 0.01), price)


def summary(found: Sequence[Found]) -> dict[str, dict[str, float]]:
    """Medians of each sampler over its seeds."""
    return {
        name: {
            field: statistics.median(getattr(f, field) for f in found if f.sampler == name)
            for field in ("candidates", "best", "volume")
        }
        for name in SAMPLERS
    }
