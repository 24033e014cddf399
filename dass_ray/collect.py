"""Meta-dataset generation: many real KD runs of many tasks, resumable at any moment."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import ray

from dass_ray import ledger
from dass_ray.actors import board, kd_worker
from dass_ray.actors.pool import WINDOW, bounded
from dass_ray.actors.session import ray_session, slots
from dass_ray.config import CollectConfig, StoreConfig
from dass_ray.data.builtin import resolve
from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.kd.teachers import TeacherPlan, advice, find_card
from dass_ray.recipe import KDRecipe
from dass_ray.records import Run, RunRow, TeacherCard
from dass_ray.space import Spec
from dass_ray.store import open_store
from dass_ray.watch import Silent, Watcher

_DRAWS = 100  # of n students each, before a space counts as too small for n


def students(config: CollectConfig, dataset: str) -> list[Spec]:
    """Different students of one data set: those that all tasks share first, then its own.

    UserError where the space has fewer.
    """
    shared = _distinct(config, round(config.students * config.common), config.seed, [])
    own_seed = int(content_hash("students", dataset, config.seed)[:8], 16)
    return _distinct(config, config.students, own_seed, shared)


def _distinct(config: CollectConfig, n: int, seed: int, first: Sequence[Spec]) -> list[Spec]:
    """`first`, and uniform draws that differ from all before, n in all."""
    rng, found = np.random.default_rng(seed), dict.fromkeys(first)
    for _ in range(_DRAWS):
        if len(found) >= n:
            return list(found)[:n]
        found.update(dict.fromkeys(config.space.unpack(config.space.sample(n - len(found), rng))))
    raise UserError(
        f"{config.space.name!r} gave only {len(found)} different students, {n} were asked for: "
        "lower students"
    )


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


def train_teachers(config: CollectConfig, watcher: Watcher) -> list[TeacherCard]:
    """The teachers of all data sets and seeds, trained where the store lacks them.

    UserError for one that stayed near chance: its students would tell nothing.
    """
    store, demand = open_store(config.store), kd_worker.demand(config.resources)
    plans = [TeacherPlan(config.space, config.teacher, seed) for seed in config.teacher_seeds]
    wanted, epochs = [], 0
    for name in config.datasets:  # writes built-in sets, and fails before any training
        data = resolve(store, name)
        wanted += [(name, teacher, find_card(store, teacher.id(data))) for teacher in plans]
        epochs += len(plans) * config.teacher.epochs_for(len(data.train))
    watcher.phase("training teachers (epochs)", epochs)
    shared, train = board.start(), kd_worker.remote(kd_worker.train_teacher, demand)
    cards = {(name, plan): card for name, plan, card in wanted if card}
    before = sum(len(card.curve) for card in cards.values())

    def idle() -> None:
        newest = ray.get(shared.read.remote())
        best = max((accuracy for _, _, accuracy in newest.values()), default=0.0)
        done = before + sum(done for done, _, _ in newest.values())
        watcher.step(done, f"best validation {best:.1%}" if newest else "")

    for (name, plan), result in bounded(
        [(name, plan) for name, plan, card in wanted if not card],
        lambda item: train(store.uri, *item, shared),
        WINDOW * slots(demand),
        idle,
    ):
        if isinstance(result, Exception):
            raise UserError(f"the teacher of {name!r} could not be trained: {_short(result)}")
        cards[name, plan] = result
    idle()
    ray.kill(shared)
    for card in cards.values():
        if card.near_chance:
            raise UserError(advice(card))
    return [cards[name, plan] for name, plan, _ in wanted]


def distil_all(
    config: StoreConfig,
    runs: Sequence[Run],
    watcher: Watcher,
    *,
    shard: int,
    keep_weights: bool = False,
) -> None:
    """Distils the runs that have no row yet; each shard's rows are committed when it is done."""
    store, demand = open_store(config.store), kd_worker.demand(config.resources)
    done = ledger.done(store)
    missing = [run for run in runs if run.key not in done]
    count = len(runs) - len(missing)
    watcher.phase("distilling students", len(runs))
    watcher.step(count, "")
    labels = _SoftLabels(store.uri, demand)
    distil = kd_worker.remote(kd_worker.distil_shard, demand)
    for group, result in bounded(
        shards(missing, shard),
        lambda group: distil(store.uri, group, labels.of(group[0]), keep_weights),
        WINDOW * slots(demand),
    ):
        if isinstance(result, Exception):
            raise UserError(
                f"distilling {group[0].spec} on {group[0].teacher.dataset} failed: {_short(result)}"
            )
        count += len(result)
        watcher.step(count, _note(result[-1]))
    if missing and not {run.key for run in runs} <= ledger.done(store):
        raise UserError(
            f"the workers' rows are not in {store.uri}: choose a store that all nodes share"
        )


def _note(row: RunRow) -> str:
    accuracy = row.status if row.validation is None else f"validation {row.validation:.1%}"
    return f"{row.dataset} {row.spec} {accuracy}"


class _SoftLabels:
    """References to the soft labels of the newest tasks; older ones are let go."""

    KEPT = 4

    def __init__(self, uri: str, demand: dict[str, float]) -> None:
        self.uri, self.make = uri, kd_worker.remote(kd_worker.make_soft_labels, demand)
        self.refs: dict[tuple[str, KDRecipe], Any] = {}

    def of(self, run: Run) -> Any:  # noqa: ANN401 - Ray's references have no type
        """The soft labels that a run needs."""
        key = (run.teacher.id, run.recipe)
        if key not in self.refs:
            while len(self.refs) >= self.KEPT:
                self.refs.pop(next(iter(self.refs)))
            self.refs[key] = self.make(self.uri, run.teacher, run.recipe)
        return self.refs[key]


def collect(config: CollectConfig, watcher: Watcher | None = None) -> int:
    """Trains missing teachers, then distils all missing runs; returns the runs of the plan."""
    watcher = watcher or Silent()
    watcher.phase("starting Ray", 1)
    with ray_session(config.address):
        watcher.step(1, "")
        runs = plan(config, train_teachers(config, watcher))
        distil_all(config, runs, watcher, shard=config.shard)
    return len(runs)


def _short(error: Exception) -> str:
    """The last line of a remote error, which names the cause."""
    return str(error).strip().splitlines()[-1]
