"""What a strategy finds with so many KD runs, over recorded tasks and repeats.

Letters: R repeats, B KD runs.
"""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dass_ray.errors import UserError
from dass_ray.evaluation.bootstrap import RESAMPLES, interval, resamples
from dass_ray.evaluation.metrics import spearman
from dass_ray.replay.recorded import Floats, RecordedTask
from dass_ray.replay.strategies import Factory, Strategy, factory
from dass_ray.watch import Watcher


@dataclass(frozen=True)
class Replayed:
    """A strategy on one task.

    regret [R, B]: after each KD run, how far the student that looked best so far is, in accuracy
    over all seeds, from the task's best; spearman: of a recorded score with accuracy, else None.
    """

    method: str
    task: str
    regret: Floats
    spearman: float | None


@dataclass(frozen=True)
class Summary:
    """A strategy over all tasks, which weigh alike; low and high: 95%, by resampling repeats."""

    method: str
    spearman: float | None
    regret: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def replay(
    tasks: Sequence[RecordedTask],
    methods: Sequence[str],
    runs: int,
    repeats: int,
    watcher: Watcher,
) -> list[Replayed]:
    """Every method on every task; the same seeds of KD are seen by all.

    UserError where a task has fewer students than `runs`.
    """
    short = min(tasks, key=lambda task: len(task.specs))
    if runs > len(short.specs):
        raise UserError(f"{short.name} has {len(short.specs)} students: ask for no more runs")
    factories = {method: factory(method) for method in methods}
    watcher.phase("replaying", len(tasks) * len(factories))
    found = []
    for task in tasks:
        for method, make in factories.items():
            found.append(_replayed(task, method, make, runs, repeats))
            watcher.step(len(found), f"{method} on {task.name}")
    return found


def _replayed(task: RecordedTask, method: str, make: Factory, runs: int, repeats: int) -> Replayed:
    regret = np.empty((repeats, runs))
    for repeat in range(repeats):
        seed = zlib.crc32(f"{task.name} {repeat}".encode())
        regret[repeat] = _regret(task, make(task, seed), _observed(task, seed), runs)
    scores = task.scores.get(method)
    ranked = None if scores is None else float(spearman(scores, task.mean))
    return Replayed(method, task.name, regret, ranked)


def _observed(task: RecordedTask, seed: int) -> Floats:
    """[N]: what KD of one seed, drawn for each student, says."""
    rng = np.random.default_rng(seed)
    draw = np.where(np.isnan(task.validation), -1.0, rng.random(task.validation.shape))
    found: Floats = np.take_along_axis(task.validation, draw.argmax(axis=0)[None], axis=0)[0]
    return found


def _regret(task: RecordedTask, strategy: Strategy, observed: Floats, runs: int) -> Floats:
    seen: dict[int, float] = {}
    out = np.empty(runs)
    for i in range(runs):
        chosen = strategy(dict(seen))
        if chosen in seen or not 0 <= chosen < len(observed):
            raise UserError(f"a strategy chose student {chosen}, which is known or does not exist")
        seen[chosen] = float(observed[chosen])
        best = max(seen, key=lambda student: seen[student])
        out[i] = task.mean.max() - task.mean[best]
    return out


def summaries(found: Sequence[Replayed]) -> list[Summary]:
    """One for each method, in the order in which they came."""
    methods = dict.fromkeys(one.method for one in found)
    return [_summary([one for one in found if one.method == method]) for method in methods]


def _summary(mine: Sequence[Replayed]) -> Summary:
    regret = np.mean([one.regret for one in mine], axis=0)  # [R, B]: the same repeats of each task
    drawn = regret[resamples(len(regret), RESAMPLES)].mean(axis=1)  # [resamples, B]
    ends = [interval(column) for column in drawn.T]
    ranks = [one.spearman for one in mine if one.spearman is not None]
    return Summary(
        mine[0].method,
        float(np.mean(ranks)) if ranks else None,
        tuple(regret.mean(axis=0).tolist()),
        tuple(low for low, _ in ends),
        tuple(high for _, high in ends),
    )
