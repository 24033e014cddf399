"""One training on several workers, each with its share of every batch, by Ray Train.

For students and teachers that take too long on one device. The functions are tasks that wait for
the workers and hold no CPU themselves.
"""

import faulthandler
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psutil
import ray
import torch.distributed as dist
from ray.exceptions import RayError
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError, WorkerGroupError
from ray.train.torch import TorchConfig, TorchTrainer
from ray.train.v2._internal.exceptions import (
    WorkerHealthCheckFailedError,
    WorkerHealthCheckTimeoutError,
)
from ray.util import get_node_ip_address

from dass_ray import ledger
from dass_ray.actors import kd_worker, notice
from dass_ray.actors.kd_worker import Done, How, Shared
from dass_ray.actors.limit import GRACE_S, STDERR, TooLong
from dass_ray.actors.nodes import NodeError, Nodes, WorkerLost, guarded
from dass_ray.actors.rows import failed
from dass_ray.errors import UserError
from dass_ray.kd import group
from dass_ray.kd.checkpoint import Leaving, StoreCheckpoints
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.kd.train import OnEpoch
from dass_ray.recipe import TrainRecipe
from dass_ray.records import Run, TeacherCard
from dass_ray.space import Spec
from dass_ray.store import open_store, retry


@dataclass(frozen=True)
class Workers:
    """How many share a training, and what each asks Ray for. options: of their nodes."""

    count: int
    demand: dict[str, float]
    options: dict[str, Any]

    def scaling(self) -> ScalingConfig:
        """The same in Ray Train's terms."""
        asked = {"CPU": self.demand["num_cpus"]}
        if gpus := self.demand.get("num_gpus"):
            asked["GPU"] = gpus
        return ScalingConfig(
            num_workers=self.count, use_gpu=bool(gpus), resources_per_worker=asked, **self.options
        )


class OfTheWork(Exception):
    """What a worker's own work raised, in one text with its type."""


def check_divides(recipe: TrainRecipe, images: int, workers: int) -> None:
    """UserError where the batches of so many training images have no equal shares."""
    if (batch := min(recipe.batch_size, images)) % workers:
        raise UserError(
            f"{workers} workers cannot share batches of {batch} images equally: choose a "
            "batch_size that resources.workers_per_run divides, or other workers_per_run"
        )


def remote(
    function: Callable[..., Any],
    demand: dict[str, float],
    workers: int,
    nodes: Nodes,
    retries: int = kd_worker.RETRIES,
) -> Callable[..., Any]:
    """Submits one of the functions below, as kd_worker.remote does its own.

    Its last argument, the Workers, is added: so many, each of which asks for the demand.
    """
    submit = kd_worker.remote(function, {"num_cpus": 0}, nodes, retries)
    return lambda *args: submit(*args, Workers(workers, demand, nodes.options()))


def distil_together(
    uri: str, runs: Sequence[Run], shared: Sequence[Any], how: How, workers: Workers
) -> Done:
    """Distils one student, and commits its row.

    shared: references to data, teacher and soft labels. WorkerLost where a worker died; the next
    try goes on at the run's checkpoint.
    """
    (run,), started = runs, time.time()
    ray.get(list(shared))  # the workers would hold the CPUs on which these have to be made
    config = {"uri": uri, "run": run, "shared": list(shared), "how": how}
    try:
        done: Done = _fit(_distil, config, run.key, workers)
    except OfTheWork as error:
        row = failed(run, started, str(error))
        ledger.commit(open_store(uri, known=True), [row], retried=how.retried)
        return Done([row], time.time() - started)
    return done


def teach_together(
    uri: str,
    dataset: str,
    plan: TeacherPlan,
    progress: Any,  # noqa: ANN401 - Ray's actor handles have no type
    workers: Workers,
) -> TeacherCard:
    """Trains the planned teacher, as kd_worker.train_teacher does."""
    config = {"uri": uri, "dataset": dataset, "plan": plan, "progress": progress}
    card: TeacherCard | None = _fit(_teach, config, "teacher", workers)
    if card is None:
        raise Leaving
    return card


class _Backend(TorchConfig().backend_cls):  # type: ignore[misc]
    """Ray Train's, but that Gloo is told on which network the nodes know each other.

    It would take the address of the host's own name, which many systems say is 127.0.1.1.
    """

    def on_start(self, worker_group: Any, backend_config: TorchConfig) -> None:  # noqa: ANN401
        worker_group.execute(_choose_interface)
        super().on_start(worker_group, backend_config)


@dataclass
class _Network(TorchConfig):  # type: ignore[misc]
    """Ray Train's setting of PyTorch's process group, with our backend."""

    @property
    def backend_cls(self) -> type[_Backend]:
        return _Backend


def _choose_interface() -> None:
    address = get_node_ip_address()
    for name, addresses in psutil.net_if_addrs().items():
        if any(one.address == address for one in addresses):
            os.environ.setdefault("GLOO_SOCKET_IFNAME", name)


def _fit(work: Callable[..., Any], config: dict[str, Any], name: str, workers: Workers) -> Any:  # noqa: ANN401
    """What the first worker gave. NodeError, RayError, WorkerLost or OfTheWork: see cause."""
    with _scratch() as folder:
        trainer = TorchTrainer(
            guarded(kd_worker.threaded(work, workers.demand)),
            train_loop_config=config,
            torch_config=_Network(),
            scaling_config=workers.scaling(),
            run_config=RunConfig(
                name=name, storage_path=folder, failure_config=FailureConfig(max_failures=0)
            ),
        )
        try:
            return trainer.fit().return_value
        except WorkerGroupError as error:
            raise cause(error.worker_failures) from error
        except TrainingFailedError as error:  # of Ray Train itself
            raise WorkerLost(str(error).splitlines()[-1], node=False) from error


@contextmanager
def _scratch() -> Iterator[str]:
    """A folder for what Ray Train notes; UserError where there is no place for it."""
    try:
        folder = tempfile.mkdtemp(prefix="dass-ray-train-")
    except OSError as error:
        raise UserError(f"cannot write to {tempfile.gettempdir()}: {error.strerror}") from None
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def cause(failures: dict[int, Exception]) -> Exception:
    """What to make of the workers' failures, by rank.

    Where one is lost, others fail at once, since they hear no more of it, and Ray may know of the
    loss only seconds later. So what they say of their connection is a lost worker, too.
    """
    for kind in (NodeError, RayError):
        if found := next((e for e in failures.values() if isinstance(e, kind)), None):
            return found
    for error in failures.values():
        if isinstance(error, WorkerHealthCheckFailedError):
            why = str(error.health_check_failure)  # a page; its last line begins with the cause
            return WorkerLost(why.splitlines()[-1].split(". ")[0], "node has died" in why)
    for error in failures.values():
        if _of_connection(error):
            return WorkerLost(f"{error}".splitlines()[0], node=False)
    error = failures[min(failures)]
    return OfTheWork(f"{type(error).__name__}: {error}")


def _of_connection(error: Exception) -> bool:
    kinds = (dist.DistError, group.OutOfStep, WorkerHealthCheckTimeoutError)
    return isinstance(error, kinds) or (isinstance(error, RuntimeError) and "gloo" in f"{error}")


def _distil(config: dict[str, Any]) -> Done:
    """What each worker does; the first one commits the row, and tells of it."""
    uri, run, how = config["uri"], config["run"], config["how"]
    device, store, started = kd_worker.device(), open_store(uri, known=True), time.time()
    data, teacher, labels = ray.get(config["shared"])
    shared = Shared(data.unpack().to(device), teacher.to(device), labels.unpack())
    checkpoints = StoreCheckpoints(store, run.key, leaving=_leaving)
    try:
        with _limited(how.max_seconds) as check:
            out = distil(
                Spec.parse(run.spec), shared.teacher, shared.labels, shared.data, run.recipe,
                run.seed, checkpoints=checkpoints, on_epoch=check,
            )  # fmt: skip
    except Leaving:
        return Done([], time.time() - started, retry.AGAIN.take(), left=[run])
    if not group.is_first():
        return Done([], 0.0)
    row = kd_worker.kept(store, run, out, started, how)
    ledger.commit(store, [row], retried=how.retried)
    checkpoints.clear()
    return Done([row], time.time() - started, retry.AGAIN.take())


def _teach(config: dict[str, Any]) -> TeacherCard | None:
    """What each worker does. All have the same weights in the end, and whose come first is one."""
    progress = config["progress"] if group.is_first() else None
    try:
        return kd_worker.train_teacher(
            config["uri"], config["dataset"], config["plan"], progress, leaving=_leaving
        )
    except Leaving:
        return None


def _leaving() -> bool:
    return group.any_has(notice.here()())


@contextmanager
def _limited(seconds: float | None) -> Iterator[OnEpoch | None]:
    """What raises TooLong in all workers after the epoch in which it was too long for one.

    Ray Train's work is not in the main thread, where limit.limited could interrupt it. A process
    that never comes to the end of its epoch ends itself, as there.
    """
    if seconds is None:
        yield None
        return
    until = time.monotonic() + seconds

    def check(_done: int, _epochs: int, _accuracy: float) -> None:
        if group.any_has(time.monotonic() > until):
            raise TooLong(f"it took longer than max_seconds={seconds:g}")

    faulthandler.dump_traceback_later(1.5 * seconds + GRACE_S, exit=True, file=STDERR)
    try:
        yield check
    finally:
        faulthandler.cancel_dump_traceback_later()
