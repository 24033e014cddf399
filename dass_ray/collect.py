"""Meta-dataset generation: many real KD runs of many tasks, resumable at any moment."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
import ray

from dass_ray import ledger
from dass_ray.actors import kd_worker
from dass_ray.actors.pool import WINDOW, bounded
from dass_ray.actors.session import slots
from dass_ray.config import CollectConfig, Resources
from dass_ray.data.builtin import resolve
from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.kd.teachers import TeacherPlan, advice
from dass_ray.recipe import KDRecipe
from dass_ray.records import Run, RunRow, TeacherCard
from dass_ray.space import Space, Spec
from dass_ray.store import open_store


@dataclass(frozen=True)
class Progress:
    """Runs of the plan: how many have a row, how many there are, and the rows that just came."""

    done: int
    total: int
    rows: Sequence[RunRow]


def students(config: CollectConfig, dataset: str) -> list[Spec]:
    """The students of one data set: those that all tasks share first, then its own."""
    shared = round(config.students * config.common)
    own = int(content_hash("students", dataset, config.seed)[:8], 16)
    return _sample(config.space, shared, config.seed) + _sample(
        config.space, config.students - shared, own
    )


def _sample(space: Space, n: int, seed: int) -> list[Spec]:
    return space.unpack(space.sample(n, np.random.default_rng(seed)))


def plan(config: CollectConfig, teachers: Sequence[TeacherCard]) -> list[Run]:
    """All runs, each once, task by task: teachers x students x seeds."""
    runs = [
        Run(teacher=card, spec=str(spec), recipe=config.kd, seed=seed)
        for card in teachers
        for spec in students(config, card.dataset)
        for seed in config.kd_seeds
    ]
    return list({run.key: run for run in runs}.values())


def shards(runs: Sequence[Run], size: int) -> list[list[Run]]:
    """Runs in groups of at most `size`, each group of one task."""
    out = []
    for _, group in groupby(runs, key=lambda run: run.teacher.id):
        task = list(group)
        out += [task[i : i + size] for i in range(0, len(task), size)]
    return out


def train_teachers(config: CollectConfig) -> list[TeacherCard]:
    """The teachers of all data sets and seeds, trained where the store lacks them."""
    store, demand = open_store(config.store), kd_worker.demand(config.resources)
    wanted = []
    for name in config.datasets:
        resolve(store, name)  # writes built-in sets, and fails before any training
        wanted += [
            (name, TeacherPlan(config.space, config.teacher, seed)) for seed in config.teacher_seeds
        ]
    train = kd_worker.remote(kd_worker.train_teacher, demand)
    cards: dict[tuple[str, int], TeacherCard] = {}
    for (name, teacher), result in bounded(
        wanted, lambda item: train(config.store, *item), WINDOW * slots(demand)
    ):
        if isinstance(result, Exception):
            raise UserError(f"the teacher of {name!r} could not be trained: {_short(result)}")
        if result.near_chance:
            raise UserError(advice(result))
        cards[name, teacher.seed] = result
    return [cards[name, teacher.seed] for name, teacher in wanted]


def distil_all(
    uri: str,
    runs: Sequence[Run],
    resources: Resources,
    *,
    shard: int,
    keep_weights: bool = False,
) -> Iterator[list[RunRow]]:
    """Distils the runs that have no row yet; yields rows as their parts are committed."""
    done = ledger.done(open_store(uri))
    missing = [run for run in runs if run.key not in done]
    demand = kd_worker.demand(resources)
    labels = _SoftLabels(uri, demand)
    distil = kd_worker.remote(kd_worker.distil_shard, demand)
    for group, result in bounded(
        shards(missing, shard),
        lambda group: distil(uri, group, labels.of(group[0]), keep_weights),
        WINDOW * slots(demand),
    ):
        if isinstance(result, Exception):
            raise UserError(
                f"distilling {group[0].spec} on {group[0].teacher.dataset} failed: {_short(result)}"
            )
        yield result


class _SoftLabels:
    """References to the soft labels of the newest tasks; older ones are let go."""

    KEPT = 4

    def __init__(self, uri: str, demand: dict[str, float]) -> None:
        self.uri, self.make = uri, kd_worker.remote(kd_worker.make_soft_labels, demand)
        self.refs: dict[tuple[str, KDRecipe], ray.ObjectRef] = {}

    def of(self, run: Run) -> "ray.ObjectRef":
        """The soft labels that a run needs."""
        key = (run.teacher.id, run.recipe)
        if key not in self.refs:
            while len(self.refs) >= self.KEPT:
                self.refs.pop(next(iter(self.refs)))
            self.refs[key] = self.make(self.uri, run.teacher, run.recipe)
        return self.refs[key]


def collect(config: CollectConfig) -> Iterator[Progress]:
    """Trains missing teachers, then distils all missing runs; yields progress after each part."""
    runs = plan(config, train_teachers(config))
    done = ledger.done(open_store(config.store)) & {run.key for run in runs}
    count = len(done)
    yield Progress(count, len(runs), [])
    for rows in distil_all(config.store, runs, config.resources, shard=config.shard):
        count += len(rows)
        yield Progress(count, len(runs), rows)


def _short(error: Exception) -> str:
    """The last line of a remote error, which names the cause."""
    return str(error).strip().splitlines()[-1]
