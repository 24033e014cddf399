"""Collecting with two workers: our driver, against one Ray task a run that shares nothing."""

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ray

from dass_ray import ledger, plan
from dass_ray.actors.kd_worker import How
from dass_ray.actors.rows import row
from dass_ray.actors.session import ray_session
from dass_ray.collect import distilling
from dass_ray.collect.distilling import Rules, Work
from dass_ray.config import CollectConfig
from dass_ray.data.builtin import resolve
from dass_ray.data.dataset import Dataset, load_dataset
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan, load_net, train_into
from dass_ray.kd.views import soft_labels
from dass_ray.models.network import StagedNetwork
from dass_ray.recipe import DISTILL, TEACHERS
from dass_ray.records import Run
from dass_ray.space import MICRO, Spec
from dass_ray.store import open_store
from dass_ray.store.base import Store
from dass_ray.watch import Silent

WORKERS = 2
KD = DISTILL["micro"].model_copy(update={"epochs": 2, "min_steps": 0, "flip": False})
TEACHER = TEACHERS["micro"].model_copy(update={"epochs": 1, "min_steps": 0, "flip": False})


@dataclass(frozen=True)
class _Session:
    """Wall seconds of some runs, and those of them that were spent inside KD."""

    runs: int
    wall: float
    kd: float

    @property
    def efficiency(self) -> float:
        """Time inside KD / (workers x wall)."""
        return self.kd / (WORKERS * self.wall)

    @property
    def overhead(self) -> float:
        """A worker's seconds outside KD for each run."""
        return (WORKERS * self.wall - self.kd) / self.runs


def collect(runs: int) -> dict[str, float]:
    """Both ways on so many runs of micro students on digits: seconds, runs/s, shares of time.

    startup_s: from nothing to the first rows, with Ray, two workers and what they import.
    """
    with tempfile.TemporaryDirectory(prefix="dass-ray-bench-") as folder:
        store = open_store(folder)
        config = CollectConfig(store=folder, datasets=("digits",), kd=(KD,), students=runs)
        card = train_into(store, TeacherPlan(MICRO, TEACHER, 0), resolve(store, "digits"))
        blocks = plan.blocks(config, [card])
        every = [run for block in blocks for run in block.runs()]
        started = time.perf_counter()
        with ray_session(cpus=WORKERS):
            _ours(config, _seeded(every[:WORKERS], 1), shard=1)
            startup = time.perf_counter() - started
            ours, theirs = _ours(config, every), _plain(store, _seeded(every, 2))
    return {
        "runs": runs,
        "efficiency": ours.efficiency,
        "plain_efficiency": theirs.efficiency,
        "overhead_s": ours.overhead,
        "plain_overhead_s": theirs.overhead,
        "runs_per_s": ours.runs / ours.wall,
        "plain_runs_per_s": theirs.runs / theirs.wall,
        "ratio": theirs.wall / ours.wall,
        "kd_s": ours.kd / ours.runs,
        "startup_s": startup,
    }


def _seeded(runs: Sequence[Run], seed: int) -> list[Run]:
    """The same work under keys that the store does not have."""
    return [run.model_copy(update={"seed": seed}) for run in runs]


def _ours(config: CollectConfig, runs: list[Run], shard: int = 256) -> _Session:
    facts: list[dict[str, Any]] = []
    work, rules = Work(len(runs), lambda: plan.blocks_of(runs)), Rules(How(), shard)
    started = time.perf_counter()
    distilling.distil(config, work, rules, Silent(), facts.append)
    return _Session(len(runs), time.perf_counter() - started, facts[-1]["kd_seconds"])


def _plain(store: Store, runs: list[Run]) -> _Session:
    """One task a run; data and teacher are sent each time, and each makes its own soft labels."""
    task = ray.remote(num_cpus=1)(_one)
    started = time.perf_counter()
    data = load_dataset(store, "digits")
    teacher = load_net(store, runs[0].teacher)
    inside = ray.get([task.remote(store.uri, run, data, teacher) for run in runs])
    return _Session(len(runs), time.perf_counter() - started, sum(inside))


def _one(uri: str, run: Run, data: Dataset, teacher: StagedNetwork) -> float:
    """The time inside KD, in s."""
    store, labels = open_store(uri), soft_labels(teacher, data, run.recipe)
    started = time.time()
    out = distil(Spec.parse(run.spec), teacher, labels, data, run.recipe, run.seed)
    inside = time.time() - started
    ledger.commit(store, [row(run, out.trained, out.test, started)])
    return inside
