"""One Ray session: started on this machine, joined inside a job, or reached by address."""

import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import ray

from dass_ray.actors.heartbeat import LOST, Heartbeat
from dass_ray.actors.nodes import NAMES, fit, places
from dass_ray.errors import UserError

CONNECT_S = 10.0
MOST = {"CPU": "max_cpus", "GPU": "max_gpus"}
WORKER_ENV = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""Several workers share a node: a task sets its threads itself, see kd_worker.threaded."""


class Terminated(KeyboardInterrupt):
    """The process was asked to end, as by `ray job stop` or a batch system."""


@contextmanager
def ray_session(address: str | None = None, cpus: int | None = None) -> Iterator[None]:
    """A connection to Ray; a Ray that was started here is stopped at the end.

    address: of a cluster; None starts a Ray on this machine, or joins the job's own cluster inside
    `ray job submit`. Nothing is done where this process is connected already.
    cpus: of a Ray that is started here; None is all of the machine's.
    UserError where Ray does not start, no cluster answers at the address, or its head does not
    answer any more.
    """
    if ray.is_initialized():
        yield
        return
    inside = "RAY_JOB_CONFIG_JSON_ENV_VAR" in os.environ or "RAY_ADDRESS" in os.environ
    where = address or ("auto" if inside else "local")
    # Errors that count are raised. Where a job stops with one line, Ray would add a page for each
    # task in flight that fails as well.
    os.environ.setdefault("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    if where == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    else:
        _check(where)
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=where,
            runtime_env={"env_vars": WORKER_ENV},
            log_to_driver=False,
            logging_level="ERROR",
            **({"include_dashboard": False, "num_cpus": cpus} if where == "local" else {}),
        )
    except (ConnectionError, ValueError) as error:
        raise UserError(f"no Ray cluster answers at {where!r}: {error}".splitlines()[0]) from None
    except Exception as error:  # Ray raises bare ones where its processes do not start in 30 s
        if where != "local":
            raise
        why = f"{error}".splitlines()[0]
        raise UserError(
            f"Ray did not start on this machine ({why}): see that it has free memory and disk, and "
            "is not overloaded, then try again"
        ) from error
    with _hearing_of_sigterm(before):
        try:
            with Heartbeat() as head:
                try:
                    yield
                except KeyboardInterrupt:
                    if head.lost:
                        raise UserError(LOST) from None
                    raise
        finally:
            ray.shutdown()


@contextmanager
def _hearing_of_sigterm(before: Any) -> Iterator[None]:  # noqa: ANN401 - a function, or a number
    """SIGTERM ends the work by Terminated; Ray's own handler would say nothing to anyone.

    Where the work waits inside of Ray (`ray.get`, `ray.wait`), Ray turns what a handler raises into
    a bare KeyboardInterrupt, as if it were Ctrl-C; it is turned back here.

    before: the handler of the time before Ray, as of a notebook's kernel, which is put back; None
    is one that is not of Python.
    """

    asked = False

    def stop(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked = True
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as error:
        if asked:
            raise Terminated from error
        raise
    finally:
        if before is not None:
            signal.signal(signal.SIGTERM, before)


def _check(address: str) -> None:
    """UserError where nothing listens at host:port; Ray itself would try for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not colon:
        return  # "auto" and names are Ray's to find
    try:
        socket.create_connection((host, int(port)), CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise UserError(
            f"no Ray cluster answers at {address!r} ({error}): check --address, as in 10.0.0.1:6379"
        ) from None


def has_gpus() -> bool:
    """Whether any node of the cluster offers a GPU now."""
    return bool(ray.cluster_resources().get("GPU", 0))


def gets_gpus() -> bool:
    """Whether the cluster offers a GPU, or starts a node with one where a task asks for it."""
    return bool(capacity()["GPU"])


def capacity() -> dict[str, float]:
    """CPUs and GPUs that the cluster has or, with an autoscaler, can grow to.

    Ray does not say what its autoscaler may start, so the head of such a cluster offers it as the
    resources `max_cpus` and `max_gpus`: see cluster/aws.yaml.
    """
    have = ray.cluster_resources()
    return {name: max(have.get(name, 0), have.get(most, 0)) for name, most in MOST.items()}


def slots(demand: dict[str, float], workers: int = 1) -> int:
    """How many tasks run at once now; at least one, since nodes come and go.

    demand: of each of so many workers that share a task.
    """
    return max(1, places(demand) // workers)


def room(demand: dict[str, float], workers: int = 1) -> int:
    """How many do once the cluster has grown, if it can; at least one."""
    return max(1, _most(demand) // workers)


def check_fits(demand: dict[str, float], workers: int = 1) -> None:
    """UserError where the cluster could never run a task of this demand: it would wait for ever."""
    if _most(demand) < workers:
        asked = ", ".join(f"{v * workers:g} {NAMES[k]}" for k, v in demand.items())
        raise UserError(f"a task asks for {asked}, more than the cluster has: lower resources.*")


def _most(demand: dict[str, float]) -> int:
    """How many tasks of this demand run at once when the cluster has grown as far as it can.

    What nodes an autoscaler starts is not known, so that there the resources count as a whole.
    """
    have, most = ray.cluster_resources(), capacity()
    grows = any(most[name] > have.get(name, 0) for name in most)
    return fit(demand, most) if grows else places(demand)
