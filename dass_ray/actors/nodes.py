"""Errors of a node, not of the work: a full disk, no way to the store, an old program.

A task that meets one says on which node that was, so that the work can go on elsewhere.
"""

import functools
import time
from collections.abc import Callable, Container
from dataclasses import dataclass, field
from typing import Any

import ray
from ray.exceptions import RayTaskError

from dass_ray import __version__
from dass_ray.errors import UserError
from dass_ray.records import SCHEMA_VERSION

NAMES = {"num_cpus": "CPU", "num_gpus": "GPU"}
"""Of Ray's options of a task, as its nodes call them."""
PAUSE_S = 600.0  # for which a node is left out: a store comes back, a disk is emptied


class NodeError(UserError):
    """A UserError of a Ray task, and the identity of the node on which it was raised."""

    def __init__(self, text: str, node: str) -> None:
        super().__init__(text, node)
        self.node = node

    def __str__(self) -> str:
        return str(self.args[0])


class WorkerLost(Exception):
    """One of several workers died. node: whether its node did, so that it is no fault of a run."""

    def __init__(self, text: str, node: bool) -> None:
        super().__init__(text, node)
        self.node = node

    def __str__(self) -> str:
        return str(self.args[0])


def version() -> str:
    """What the programs of one job must have in common."""
    return f"{__version__} (schema {SCHEMA_VERSION})"


def same_version(drivers: str) -> None:
    """UserError where this process runs another version than the driver."""
    if version() != drivers:
        raise UserError(
            f"this node has dass-ray {version()}, the driver has {drivers}: "
            "install the same version on all nodes"
        )


def guarded(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as a task: it refuses another version, and its UserErrors become NodeErrors."""
    drivers = version()

    @functools.wraps(function)
    def run(*args: Any) -> Any:  # noqa: ANN401 - whatever the task takes and returns
        try:
            same_version(drivers)
            return function(*args)
        except NodeError:
            raise
        except UserError as error:
            raise NodeError(str(error), ray.get_runtime_context().get_node_id()) from error

    return run


def cause(result: Any) -> Any:  # noqa: ANN401 - a task's result, or an exception
    """What went wrong first: in a task, or in one whose result it needed."""
    while isinstance(result, RayTaskError):
        result = result.cause
    return result


@dataclass
class Nodes:
    """Nodes that get no work for a while, each with the time at which it does again, and why."""

    left_out: dict[str, tuple[float, str]] = field(default_factory=dict)

    def leave_out(self, error: NodeError, demand: dict[str, float], workers: int = 1) -> None:
        """No more work for the error's node; UserError where no other one is left."""
        self.left_out[error.node] = (time.monotonic() + PAUSE_S, str(error))
        self.check(demand, workers)

    def check(self, demand: dict[str, float], workers: int = 1) -> None:
        """UserError where a task of so many workers has no place on the nodes that are left.

        demand: of each of them.
        """
        away = self._away()
        if away and places(demand, away) < workers:
            raise UserError(next(reversed(away.values())))

    def options(self) -> dict[str, Any]:
        """Ray's options of a task, so that it runs on the other nodes."""
        away = self._away()
        return {"label_selector": {"ray.io/node-id": f"!in({','.join(away)})"}} if away else {}

    def told(self) -> list[str]:
        """A line for each node that was left out at some time."""
        return [f"node {node[:8]}: {why}" for node, (_, why) in self.left_out.items()]

    def _away(self) -> dict[str, str]:
        now = time.monotonic()
        return {node: why for node, (until, why) in self.left_out.items() if until > now}


def places(demand: dict[str, float], away: Container[str] = ()) -> int:
    """How many tasks of this demand the living nodes hold at once, without those that are away."""
    nodes = (node for node in ray.nodes() if node["Alive"] and node["NodeID"] not in away)
    return sum(fit(demand, node["Resources"]) for node in nodes)


def fit(demand: dict[str, float], have: dict[str, float]) -> int:
    """How many times a demand is in what there is, by Ray's names of resources."""
    return int(min(have.get(NAMES[name], 0) / value for name, value in demand.items()) + 1e-9)
