"""KD on workers: what Ray tasks run to train teachers, share what a task needs and distil students.

The functions are plain; `remote` makes Ray tasks of them. Data sets, teachers and soft labels reach
the distilling workers through Ray's object store.
"""

import functools
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
import torch

from dass_ray import ledger
from dass_ray.actors import board, notice
from dass_ray.actors.limit import limited
from dass_ray.actors.nodes import Nodes, WorkerLost, guarded
from dass_ray.actors.packed import PackedData, PackedLabels
from dass_ray.actors.rows import failed, row
from dass_ray.actors.session import check_fits, gets_gpus
from dass_ray.config import Resources
from dass_ray.data.builtin import resolve
from dass_ray.data.dataset import Dataset
from dass_ray.errors import UserError
from dass_ray.kd import foreign_teachers, group
from dass_ray.kd.checkpoint import Leaving, StoreCheckpoints, under_way
from dass_ray.kd.distill import Distilled, distil
from dass_ray.kd.teachers import TeacherPlan, find_card, known_card, load_net, train_into
from dass_ray.kd.views import SoftLabels, soft_labels
from dass_ray.models.network import StagedNetwork
from dass_ray.models.weights import to_bytes
from dass_ray.recipe import KDRecipe
from dass_ray.records import Run, RunRow, TeacherCard
from dass_ray.space import Spec
from dass_ray.store import open_store, retry
from dass_ray.store.base import Store

LOG = logging.getLogger(__name__)
"""Into the log file of the worker process, which Ray keeps on its node."""
RETRIES = 3  # of a task whose node or worker process was lost


@dataclass(frozen=True)
class How:
    """How runs are distilled, beside what decides their result.

    keep_weights: also commit each student's weights, before its row; max_seconds: of one run;
    retried: the runs failed before.
    """

    keep_weights: bool = False
    max_seconds: float | None = None
    retried: bool = False


@dataclass(frozen=True)
class Done:
    """What came of a shard: rows that are in the store, and the worker's time inside KD, in s.

    store_retries: requests to the store that the worker has sent again since its last shard; left:
    runs that were not finished, since the node was told to go.
    """

    rows: list[RunRow]
    kd_seconds: float
    store_retries: int = 0
    left: Sequence[Run] = ()


@dataclass(frozen=True)
class Shared:
    """What the runs of one task share."""

    data: Dataset
    teacher: StagedNetwork
    labels: SoftLabels


def demand(resources: Resources) -> dict[str, float]:
    """What one KD worker asks Ray for: a share of a GPU where there are or will be some, or CPUs.

    A whole GPU where the share is to be measured (see gpu_share.py), or where several workers
    share a run, since NCCL wants a GPU for each.

    UserError where that is more than the cluster has.
    """
    asked = {"num_cpus": resources.cpus_per_run}
    if gets_gpus():
        share = resources.gpus_per_run
        asked["num_gpus"] = 1.0 if share == "auto" or resources.workers_per_run > 1 else share
    check_fits(asked, resources.workers_per_run)
    return asked


def remote(
    function: Callable[..., Any],
    demand: dict[str, float],
    nodes: Nodes | None = None,
    retries: int = RETRIES,
) -> Callable[..., Any]:
    """Submits a function of this module as a Ray task; returns a reference to its result.

    nodes: those that are left out at the time; retries: by Ray, where the task's worker process or
    node was lost, or was told to go, or one of the workers that it waits for. A UserError of the
    function is a NodeError.
    """
    task = ray.remote(max_retries=retries, retry_exceptions=[Leaving, WorkerLost], **demand)(
        guarded(threaded(function, demand))
    )
    nodes = nodes or Nodes()
    return lambda *args: task.options(**nodes.options()).remote(*args)


def threaded(function: Callable[..., Any], demand: dict[str, float]) -> Callable[..., Any]:
    """The function with a thread for each CPU that it asks for: a process serves many tasks."""

    @functools.wraps(function)
    def run(*args: Any) -> Any:  # noqa: ANN401 - whatever the task takes and returns
        torch.set_num_threads(max(1, int(demand["num_cpus"])))
        return function(*args)

    return run


def device() -> torch.device:
    """The GPU that Ray gave to this worker, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.lru_cache(maxsize=1)
def _store(uri: str) -> Store:
    return open_store(uri, known=True)  # once a process: opening probes the store


@functools.lru_cache(maxsize=1)
def _dataset(uri: str, name: str, size: int | None) -> Dataset:
    """size: in px; None as stored."""
    stored = resolve(_store(uri), name)
    return stored.resized(size or stored.image_size).to(device())


def train_teacher(
    uri: str,
    dataset: str,
    plan: TeacherPlan,
    progress: Any = None,  # noqa: ANN401 - Ray's actor handles have no type
    leaving: Callable[[], bool] | None = None,
) -> TeacherCard:
    """Trains the planned teacher, unless the store has it, and returns its card.

    progress: handle of a `board.Board` that is told after every epoch, by the teacher's identity;
    leaving: asked after every epoch whether to stop with a checkpoint, by default where the node
    was told to go.
    """
    store, own = _store(uri), plan.network is None
    data = _dataset(uri, dataset, plan.space.image_size if own else None)
    identity = plan.id(data)
    card = find_card(store, identity)
    if group.any_has(card is not None):  # another job may write it between two workers' looks
        return card or known_card(store, identity)
    tell = board.teller(progress, identity)
    own_place, of_proxy = (
        StoreCheckpoints(store, name, leaving=leaving or notice.here())
        for name in (identity, f"{identity}-proxy")
    )
    kept = own_place, of_proxy
    if own:
        card = train_into(store, plan, data, checkpoints=kept[0], on_epoch=tell)
    else:
        card = foreign_teachers.train_into(store, plan, data, checkpoints=kept, on_epoch=tell)
    for checkpoints in kept:
        checkpoints.clear()
    return card


def load_data(uri: str, name: str, size: int) -> PackedData:
    """A data set of the store, resized to `size` px."""
    return PackedData.of(resolve(_store(uri), name).resized(size), uri)


def load_teacher(uri: str, card: TeacherCard) -> StagedNetwork:
    """A teacher of the store, or the proxy of one from elsewhere, on the host."""
    return load_net(_store(uri), card)


def make_soft_labels(
    uri: str, card: TeacherCard, recipe: KDRecipe, data: PackedData, teacher: StagedNetwork
) -> PackedLabels:
    """The teacher's logits on the recipe's fixed views; those of one from elsewhere are its own."""
    if card.foreign:
        return PackedLabels.of(foreign_teachers.labels_of(_store(uri), card, recipe, device()))
    return PackedLabels.of(soft_labels(teacher.to(device()), data.unpack().to(device()), recipe))


def distil_shard(
    uri: str,
    runs: Sequence[Run],
    data: PackedData,
    teacher: StagedNetwork,
    labels: PackedLabels,
    how: How = How(),
) -> Done:
    """Distils the students of one task and recipe, and commits their rows as one part.

    On a node that was told to go it stops early: a run under way leaves a checkpoint.
    """
    store = _store(uri)
    _warm_up()
    shared = _shared(data, teacher, labels)
    begun, leaving = under_way(store), notice.here()
    places = [
        StoreCheckpoints(store, run.key, fresh=run.key not in begun, leaving=leaving)
        for run in runs
    ]
    started, rows = time.perf_counter(), list[RunRow]()
    for run, place in zip(runs, places, strict=True):
        if leaving():
            break
        try:
            rows.append(_distil(store, run, shared, place, how))
        except Leaving:
            break
    seconds = time.perf_counter() - started
    if rows:
        ledger.commit(store, rows, retried=how.retried)
    for place in places[: len(rows)]:
        place.clear()
    return Done(rows, seconds, retry.AGAIN.take(), left=runs[len(rows) :])


def _shared(data: PackedData, teacher: StagedNetwork, labels: PackedLabels) -> Shared:
    """On the worker's device; UserError where that cannot be used, which is no fault of a run."""
    try:
        return Shared(data.unpack().to(device()), teacher.to(device()), labels.unpack())
    except (torch.AcceleratorError, torch.OutOfMemoryError) as error:
        raise UserError(f"the GPU cannot be used: {error}".splitlines()[0]) from error


@functools.cache
def _warm_up() -> None:
    """A process's first optimiser imports for two seconds, which count for no run's time limit."""
    torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)


def _distil(
    store: Store, run: Run, shared: Shared, checkpoints: StoreCheckpoints, how: How
) -> RunRow:
    """One run; whatever a student provokes, such as too little memory, becomes a failed row.

    A UserError is of the store or the machine, not of the student, and goes on to the caller, as
    does Leaving.
    """
    started = time.time()
    try:
        with limited(how.max_seconds):
            out = distil(
                Spec.parse(run.spec), shared.teacher, shared.labels, shared.data, run.recipe,
                run.seed, checkpoints=checkpoints,
            )  # fmt: skip
    except (UserError, Leaving):
        raise
    except torch.AcceleratorError:
        LOG.exception("the GPU of %s failed in run %s", platform.node(), run.key)
        os._exit(1)  # it does nothing more for this process; the driver tries each run again
    except Exception as error:
        LOG.exception("run %s of %s failed on %s", run.key, run.teacher.dataset, platform.node())
        return failed(run, started, f"{type(error).__name__}: {error}")
    return kept(store, run, out, started, how)


def kept(store: Store, run: Run, out: Distilled, started: float, how: How) -> RunRow:
    """The row of a run that has ended, after its student's weights are in the store if wanted.

    started: s since 1970.
    """
    if how.keep_weights and out.trained.status == "ok":
        store.put(f"students/{run.key}.safetensors", to_bytes(out.net.state_dict()))
    return row(run, out.trained, out.test, started)
