"""How far collecting scales: what each step costs is measured here, and clusters are simulated.

Not measured: links, GPUs, and how many puts a second S3 takes: options, or constants below.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import uuid4

import numpy as np
import ray

from dass_ray import ledger
from dass_ray.actors import kd_worker
from dass_ray.actors.kd_worker import Done, How
from dass_ray.actors.pool import bounded
from dass_ray.actors.session import ray_session
from dass_ray.bench import made_up
from dass_ray.bench.collect import KD, TEACHER
from dass_ray.bench.simulate import Cluster, Costs, Outcome, Plan, simulate
from dass_ray.data.builtin import resolve
from dass_ray.kd.teachers import TeacherPlan, train_into
from dass_ray.records import Run, RunRow, TeacherCard
from dass_ray.space import MICRO
from dass_ray.store import open_store
from dass_ray.store.base import Store

LENGTHS = {"short": (20.0, 2.0), "long": (600.0, 24.0)}
"""Seconds of one run, and the plan's hours of KD for each slot."""
PER_GPU = 4  # runs at once on a GPU, as resources.gpus_per_run has it
PER_NODE = 8  # GPUs
S3_PUTS = 3500.0  # a second below one prefix, as Amazon documents; parts lie below 256 of them
SPREAD = 0.5  # sigma of log(seconds) of the runs of one plan
TASK = 1000  # runs that share data, teacher and soft labels
FEW, MANY = 1, 9  # runs of a task, between which the driver's costs are told apart
FLYING = 2000  # tasks


@dataclass(frozen=True)
class Point:
    """One simulated cluster and what came out."""

    runs: str
    gpus: int
    outcome: Outcome


def scale(costs: Costs, gpus: Sequence[int], gbit: float, gib: float) -> list[Point]:
    """Short and long runs on so many GPUs.

    gbit: a node's link in Gbit/s. gib: GiB that the runs of one task share.
    """
    return [
        Point(name, count, simulate(_plan(*length, count), _cluster(count, gbit, gib), costs))
        for name, length in LENGTHS.items()
        for count in gpus
    ]


def figures(costs: Costs, points: Sequence[Point]) -> dict[str, Any]:
    """All of it as JSON holds it; `efficiency` is that of the last point."""
    rows = [
        {"runs": one.runs, "gpus": one.gpus, "limit": one.outcome.limit}
        | {"efficiency": one.outcome.efficiency, **asdict(one.outcome)}
        for one in points
    ]
    return {"efficiency": points[-1].outcome.efficiency, "costs": asdict(costs), "points": rows}


def _cluster(gpus: int, gbit: float, gib: float) -> Cluster:
    nodes = -(-gpus // PER_NODE)
    return Cluster(nodes, PER_GPU * gpus // nodes, gbit * 1e9 / 8, gib * 2**30, S3_PUTS)


def _plan(seconds: float, hours: float, gpus: int) -> Plan:
    count = int(hours * 3600 * gpus * PER_GPU / seconds)
    draws = np.random.default_rng(0).lognormal(-(SPREAD**2) / 2, SPREAD, count)
    return Plan((seconds * draws).tolist(), TASK)


def measured(uri: str | None) -> Costs:
    """Costs on this machine, with a Ray of two CPUs; uri: of the store that is committed to."""
    with tempfile.TemporaryDirectory(prefix="dass-ray-bench-") as folder, ray_session(cpus=2):
        commit = _commit(open_store(_place(uri, folder)))
        store = open_store(f"{folder}/runs")
        card = train_into(store, TeacherPlan(MICRO, TEACHER, 0), resolve(store, "digits"))
        startup, make, beside = _worker(store, _runs(card, 3))
        few, many = (_driver(_runs(card, count)) for count in (FEW, MANY))
        run = max(0.0, many.cpu - few.cpu) / (MANY - FEW)
        task = max(0.0, few.cpu - FEW * run)
        return Costs(
            submit=task / 2, submit_run=run / 2, handle=task / 2, handle_run=run / 2,
            wait=_wait(), gap=few.slot + beside, commit=commit, make=make, startup=startup,
        )  # fmt: skip


def _place(uri: str | None, folder: str) -> str:
    """A prefix of its own in the store, or a temporary folder."""
    if uri is None:
        return f"{folder}/commits"
    path, mark, query = uri.partition("?")
    return f"{path.rstrip('/')}/bench-{uuid4().hex}{mark}{query}"


def _commit(store: Store, times: int = 30) -> float:
    """Median seconds of a commit of six rows."""
    seconds = []
    for number in range(times):
        rows = next(made_up.shards(6 * number, 6 * number + 6))
        started = time.perf_counter()
        ledger.commit(store, rows)
        seconds.append(time.perf_counter() - started)
    for path in store.list(""):
        store.delete(path)
    return statistics.median(seconds)


def _runs(card: TeacherCard, count: int) -> list[Run]:
    specs = MICRO.unpack(MICRO.sample(count, np.random.default_rng(0)))
    return [Run(teacher=card, spec=str(spec), recipe=KD, seed=0) for spec in specs]


def _worker(store: Store, runs: list[Run]) -> tuple[float, float, float]:
    """Seconds until a worker's first task, of making the shared, and of a shard beside KD."""
    card, demand = runs[0].teacher, {"num_cpus": 1.0}
    started = time.perf_counter()
    ray.get(kd_worker.remote(_nothing, demand)([], How()))
    up = time.perf_counter()
    data = kd_worker.remote(kd_worker.load_data, demand)(store.uri, card.dataset, MICRO.image_size)
    teacher = kd_worker.remote(kd_worker.load_teacher, demand)(store.uri, card)
    labels = kd_worker.remote(kd_worker.make_soft_labels, demand)(
        store.uri, card, KD, data, teacher
    )
    ray.wait([labels])
    made = time.perf_counter()
    submit = kd_worker.remote(kd_worker.distil_shard, demand)
    beside = []
    for run in runs:  # each its own shard; the first one warms up
        began = time.perf_counter()
        done: Done = ray.get(submit(store.uri, [run], data, teacher, labels))
        beside.append(time.perf_counter() - began - done.kd_seconds)
    return up - started, made - up, min(beside)


@dataclass(frozen=True)
class _Spent:
    """For one task that does nothing: CPU seconds of the driver's process, seconds of a slot."""

    cpu: float
    slot: float


def _driver(runs: list[Run], tasks: int = 300) -> _Spent:
    rows = next(made_up.shards(0, len(runs)))
    submit = kd_worker.remote(_nothing, {"num_cpus": 1}, retries=0)

    def work(count: int) -> None:
        for _ in bounded(range(count), lambda _: submit(rows, How(), runs), 6):
            pass

    work(20)
    cpu, wall = time.process_time(), time.perf_counter()
    work(tasks)
    slot = 2 * (time.perf_counter() - wall) / tasks
    return _Spent((time.process_time() - cpu) / tasks, slot)


def _nothing(rows: list[RunRow], _how: How, _runs: Sequence[Run] = ()) -> Done:
    return Done(rows, 1.0)


def _wait(rounds: int = 10) -> float:
    """Seconds of the driver for each task in flight when it looks for results: two `ray.wait`."""
    never = ray.remote(num_cpus=1000)(_nothing)  # no node has as many
    flying = [never.remote([], How()) for _ in range(FLYING)]
    started = time.perf_counter()
    for _ in range(rounds):
        ray.wait(list(flying), num_returns=1, timeout=0)
    return 2 * (time.perf_counter() - started) / (rounds * FLYING)
