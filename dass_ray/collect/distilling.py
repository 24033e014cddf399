"""The driver of many KD runs: a thin loop around decisions that other modules make.

It holds nothing that the store does not have, but for the runs in flight and the counts of crashes.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from ray.exceptions import (
    LocalRayletDiedError,
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayError,
    RayTaskError,
    WorkerCrashedError,
)

from dass_ray import ledger
from dass_ray.actors import data_parallel, gpu_share, kd_worker, metrics
from dass_ray.actors.kd_worker import Done, How
from dass_ray.actors.nodes import NodeError, Nodes, WorkerLost, cause
from dass_ray.actors.pool import WINDOW, Queue, bounded
from dass_ray.actors.rows import failed
from dass_ray.actors.session import room, slots
from dass_ray.collect.attempts import MOST, Attempts
from dass_ray.collect.materials import GIB, Materials, Shared
from dass_ray.collect.shards import cut, target
from dass_ray.collect.tally import Log, Tally
from dass_ray.collect.teaching import brief
from dass_ray.config import Resources, StoreConfig
from dass_ray.data.card import read_card
from dass_ray.errors import UserError
from dass_ray.keys import KeySet
from dass_ray.pace import Measured, Pace, load
from dass_ray.plan import Block, heaviest, missing
from dass_ray.records import Run, RunRow
from dass_ray.store import open_store
from dass_ray.store.base import Store
from dass_ray.tracking.job import Job
from dass_ray.watch import Watcher

SOME = 20  # runs that are done before a share of failures is taken seriously
SLOTS_S = 10.0  # how often a cluster that grows is asked for its size
Shard = Sequence[Run]


@dataclass(frozen=True)
class Work:
    """Runs to be done, as blocks that can be made as often as wanted, and how many they are."""

    total: int
    blocks: Callable[[], Iterable[Block]]


@dataclass(frozen=True)
class Rules:
    """How runs are done, how many and for how long (s) in one task, and how many may end badly."""

    how: How
    shard: int
    shard_seconds: float = 120.0
    max_failed: float = 1.0


def distil(
    config: StoreConfig,
    work: Work,
    rules: Rules,
    watcher: Watcher,
    log: Log | None = None,
    nodes: Nodes | None = None,
    job: Job | None = None,
) -> int:
    """Does what the store lacks; gives how many of this call's runs failed or diverged.

    job: is told each run that has its row. nodes: is told those that cannot work. UserError where
    too many runs ended badly, where no node can work, or where the rows did not come to the store.
    """
    store, demand = open_store(config.store), kd_worker.demand(config.resources)
    workers = config.resources.workers_per_run
    count = slots(demand, workers)
    done = done_keys(store, rules.how)
    left = sum(len(block.specs) for block in missing(work.blocks(), done)) if len(done) else None
    left = work.total if left is None else left
    watcher.phase("distilling students", work.total)
    tally = Tally(work.total, work.total - left, count, log)
    watcher.step(tally.done, "")
    if not left:
        return 0
    nodes = nodes or Nodes()
    demand |= _measured_share(config.resources, demand, store, missing(work.blocks(), done))
    materials = Materials(store, demand, config.resources.shared_gib * GIB, nodes)
    driver = _Driver(store, demand, rules, watcher, tally, materials, nodes, job or Job(), workers)
    driver.run(missing(work.blocks(), done))
    if driver.broken:
        raise UserError(f"{next(iter(driver.broken.values()))}; everything else is done")
    if next(missing(work.blocks(), ledger.done_keys(store)), None):
        raise UserError(
            f"the workers' rows are not in {store.uri}: choose a store that all nodes share"
        )
    return tally.bad


def _measured_share(
    resources: Resources, demand: dict[str, float], store: Store, blocks: Iterable[Block]
) -> dict[str, float]:
    """The share of a GPU that the runs need, where it is to be measured."""
    measure = resources.gpus_per_run == "auto" and resources.workers_per_run == 1
    if not measure or "num_gpus" not in demand:
        return {}
    run = heaviest(blocks, lambda name: read_card(store, name).counts["train"])
    return {"num_gpus": gpu_share.measured(store.uri, run, demand["num_cpus"])}


def done_keys(store: Store, how: How) -> KeySet:
    """The keys of runs that need not run (again)."""
    if not (how.retried or how.keep_weights):
        return ledger.done_keys(store)
    table = ledger.read(store, ["key", "status"])
    if how.retried:
        table = table.filter(pc.not_equal(table["status"], "failed"))
    if how.keep_weights:  # what a collect has distilled has a row, but a search ships the network
        there = [Path(path).stem for path in store.list("students")]
        kept = pc.is_in(table["key"], pa.array(there, pa.string()))
        table = table.filter(pc.or_(pc.not_equal(table["status"], "ok"), kept))
    return KeySet.of(table["key"])


@dataclass
class _Driver:
    """The state of one job."""

    store: Store
    demand: dict[str, float]
    rules: Rules
    watcher: Watcher
    tally: Tally
    materials: Materials
    nodes: Nodes
    job: Job = field(default_factory=Job)
    workers: int = 1
    """That share a run."""
    attempts: Attempts = field(default_factory=Attempts)
    pace: Pace = field(default_factory=Pace)
    broken: dict[str, str] = field(default_factory=dict)
    """Teachers whose students cannot be distilled, and why."""
    given: dict[str, Shared] = field(default_factory=dict)
    """What each shard in flight was given, by its first run."""
    asked_at: float = float("-inf")
    room: int = 1
    """Tasks at once when the cluster has grown, if it can."""

    def run(self, blocks: Iterable[Block]) -> None:
        """Until nothing is left to be done."""
        self._learn_pace()
        submit = self._submit()

        def start(shard: Shard) -> Any:  # noqa: ANN401 - a reference of Ray
            shared = self.given[shard[0].key] = self.materials.acquire(shard[0])
            self.tally.in_flight += len(shard)
            return submit(shard, shared)

        queue = Queue(self.attempts.again, self._shards(blocks))
        for shard, result in bounded(queue, start, self._window, self._idle):
            self.tally.in_flight -= len(shard)
            self.materials.release(shard[0])
            self._ended(shard, result)
            del self.given[shard[0].key]
        self.tally.tell(now=True)

    def _submit(self) -> Callable[[Shard, Shared], Any]:
        uri, how = self.store.uri, self.rules.how
        if self.workers == 1:
            alone = kd_worker.remote(kd_worker.distil_shard, self.demand, self.nodes, retries=0)
            return lambda shard, shared: alone(uri, shard, *shared, how)
        together = data_parallel.remote(
            data_parallel.distil_together, self.demand, self.workers, self.nodes, retries=0
        )
        return lambda shard, shared: together(uri, shard, list(shared), how)

    def _shards(self, blocks: Iterable[Block]) -> Iterator[Shard]:
        def longest() -> float:
            left_s = (self.tally.total - self.tally.done) * self._mean_s
            return target(left_s, self.tally.slots, self.rules.shard_seconds)

        most = self.rules.shard if self.workers == 1 else 1
        for shard in cut(blocks, self._seconds, longest, most):
            self._check_shares(shard[0])
            if shard[0].teacher.id not in self.broken:
                yield shard

    def _check_shares(self, run: Run) -> None:
        images = self.materials.images(run.teacher.dataset)
        data_parallel.check_divides(run.recipe, images, self.workers)

    def _learn_pace(self) -> None:
        self._mean_s = 1.0
        names = ["dataset", "recipe", "flops", "seconds", "status", "device"]
        table = ledger.read(self.store, names)
        stored = set(table["dataset"].unique().to_pylist())
        images = {name: self.materials.images(name) for name in stored}
        if measured := Measured.of(table, images):
            self.pace = measured.pace

    def _seconds(self, block: Block) -> NDArray[np.float64]:
        images = self.materials.images(block.teacher.dataset)
        expected = self.pace.seconds(load(block.recipe, images, block.flops))
        self._mean_s = float(expected.mean())
        return expected

    def _window(self) -> int:
        if time.monotonic() - self.asked_at > SLOTS_S:
            self.asked_at = time.monotonic()
            self.tally.resize(slots(self.demand, self.workers))
            self.room = room(self.demand, self.workers)
            self.nodes.check(self.demand, self.workers)
        # What waits makes an autoscaler start nodes, as a group of workers does by itself.
        return self.room * (WINDOW if self.workers == 1 else 1)

    def _idle(self) -> None:
        self.watcher.step(self.tally.done, self.tally.note())
        self.tally.tell()

    def _ended(self, shard: Shard, result: Any) -> None:  # noqa: ANN401 - whatever a task gives
        match result:
            case Done():
                self.materials.served(shard[0])
                self._finished(shard, result)
            case RayTaskError() if isinstance(error := cause(result), NodeError):
                self.nodes.leave_out(error, self.demand, self.workers)
                self.materials.forget(shard[0])  # it may be what could not be made there
                self.attempts.lost(shard)
            case RayTaskError() if isinstance(error := cause(result), WorkerLost):
                if error.node:
                    self.attempts.lost(shard)
                else:
                    self._crashed(shard, error)
            case RayTaskError() if isinstance(cause(result), RayError):
                self._material_lost(shard, result)
            case RayTaskError():
                self._broke(shard, result)
            case WorkerCrashedError() | OutOfMemoryError():
                self._crashed(shard, result)
            case NodeDiedError() | LocalRayletDiedError():
                self.attempts.lost(shard)
            case ObjectLostError():
                self._material_lost(shard, result)
            case _:
                self._broke(shard, result)

    def _finished(self, shard: Shard, done: Done) -> None:
        if done.left:
            self.attempts.lost(done.left)
        if not (rows := done.rows):
            return
        well = [row for row in rows if row.status == "ok"]
        images = self.materials.images(shard[0].teacher.dataset)
        flops = np.array([row.flops for row in well], dtype=np.int64)
        seconds = np.array([row.seconds for row in well])
        self.pace.add(load(shard[0].recipe, images, flops), seconds)
        self.tally.add(rows, done.kd_seconds)
        self.job.runs(rows)
        metrics.store_retries(done.store_retries)
        self.watcher.step(self.tally.done, self.tally.note())
        self._check_failures(rows)

    def _crashed(self, shard: Shard, error: Exception) -> None:
        run = self.attempts.crashed(shard)
        if run is not None:
            why = f"its worker crashed {MOST} times: {died(error)}"
            row = failed(run, time.time(), why)
            ledger.commit(self.store, [row], retried=self.rules.how.retried)
            self._finished([run], Done([row], 0.0))

    def _material_lost(self, shard: Shard, error: Exception) -> None:
        if self.materials.lost(shard[0], self.given[shard[0].key]) > MOST:
            self._broke(shard, error)
        else:
            self.attempts.lost(shard)

    def _broke(self, shard: Shard, error: Exception) -> None:
        card = shard[0].teacher
        self.broken[card.id] = (
            f"students of {card.dataset} (teacher {card.id}) could not be distilled: {brief(error)}"
        )

    def _check_failures(self, rows: list[RunRow]) -> None:
        """UserError once more than the share of runs that may end badly did."""
        bad, ended = self.tally.bad, self.tally.by_status.total()
        worst = [row for row in rows if row.status != "ok"]
        if worst and bad > self.rules.max_failed * max(ended, SOME):
            raise UserError(
                f"{bad} of the first {ended} runs failed or diverged, the last with "
                f"{brief(Exception(worst[-1].error))!r}: mend the cause, or allow more with "
                "--set max_failed=1"
            )


def died(error: Exception) -> str:
    """Why a worker process died, in one line; on memory, Ray's own words are of Ray's settings."""
    if isinstance(error, OutOfMemoryError):
        return (
            "the memory of its node was used up (with a higher resources.cpus_per_run fewer run "
            "at once)"
        )
    return brief(error)
