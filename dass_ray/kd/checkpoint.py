"""Checkpoints inside a run: where a long training goes on after its worker was lost."""

import json
import time
from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn

from dass_ray.kd import group
from dass_ray.kd.trained import Trained
from dass_ray.models.weights import from_bytes, to_bytes
from dass_ray.store.base import NotFound, Store

Optimizer = torch.optim.Optimizer
Schedule = torch.optim.lr_scheduler.LRScheduler

INTERVAL_S = 60.0
WRITE_SHARE = 20  # a checkpoint's writing takes at most 1/20 of the time
KEPT = 2


class Leaving(Exception):
    """A training has stopped early, with a checkpoint to go on from, since its node will go."""


class Checkpoints(Protocol):
    """Saves and restores the state of one training between epochs."""

    def load(self, net: nn.Module, optimizer: Optimizer, schedule: Schedule) -> Trained | None:
        """Restores the newest state in place; None where there is none."""
        ...

    def save(
        self, net: nn.Module, optimizer: Optimizer, schedule: Schedule, state: Trained
    ) -> None:
        """May save the state after an epoch; may raise Leaving."""
        ...


class NoCheckpoints:
    """For runs that are shorter than their checkpoints are worth."""

    def load(self, net: nn.Module, optimizer: Optimizer, schedule: Schedule) -> Trained | None:
        """There is never one."""

    def save(
        self, net: nn.Module, optimizer: Optimizer, schedule: Schedule, state: Trained
    ) -> None:
        """Nothing is saved."""


class StoreCheckpoints:
    """Checkpoints under `checkpoints/<key>/` of a store, every minute or less often; two are kept.

    key: identity of the run; interval_s: seconds between two checkpoints, at least; fresh: there
    are none yet, so that a short run asks the store for nothing; leaving: asked after each epoch
    whether to save at once and stop. Of processes that train one network, the first one saves.
    """

    def __init__(
        self,
        store: Store,
        key: str,
        interval_s: float = INTERVAL_S,
        fresh: bool = False,
        *,
        leaving: Callable[[], bool] = lambda: False,
    ) -> None:
        self.store, self.folder, self.interval_s = store, f"checkpoints/{key}", interval_s
        self.leaving = leaving
        self.none, self.saved_at = fresh, time.monotonic()

    def load(self, net: nn.Module, optimizer: Optimizer, schedule: Schedule) -> Trained | None:
        """Restores the newest checkpoint in place; None where there is none."""
        if self.none or not (paths := self.store.list(self.folder)):
            return None
        try:
            data = self.store.get(paths[-1])
        except NotFound:  # another worker had the same run, as after a cut link, and has ended it
            return None
        tensors = from_bytes(data, paths[-1])
        note = json.loads(bytes(tensors.pop("note").tolist()))
        net.load_state_dict(_part(tensors, "net"))
        momenta = _part(tensors, "momentum")
        state = optimizer.state_dict()
        state["state"] = {int(i): {"momentum_buffer": value} for i, value in momenta.items()}
        optimizer.load_state_dict(state)
        for weight, kept in optimizer.state.items():  # the fused step goes through memory in order
            kept["momentum_buffer"] = torch.empty_like(weight).copy_(kept["momentum_buffer"])
        schedule.load_state_dict(schedule.state_dict() | {"last_epoch": note.pop("step")})
        for some in optimizer.param_groups:
            some["lr"] = note["lr"]
        return Trained(curve=note["curve"], seconds=note["seconds"])

    def save(
        self, net: nn.Module, optimizer: Optimizer, schedule: Schedule, state: Trained
    ) -> None:
        """Saves if the last checkpoint is old enough, or before Leaving."""
        leaving = self.leaving()
        if group.is_first() and (leaving or time.monotonic() - self.saved_at >= self.interval_s):
            self._save(net, optimizer, schedule, state)
        if leaving:
            raise Leaving

    def _save(
        self, net: nn.Module, optimizer: Optimizer, schedule: Schedule, state: Trained
    ) -> None:
        started, self.none = time.monotonic(), False
        note = {
            "step": schedule.last_epoch,
            "lr": optimizer.param_groups[0]["lr"],
            "curve": state.curve,
            "seconds": state.seconds,
        }
        momenta = optimizer.state_dict()["state"]
        tensors: dict[str, Tensor] = {f"net.{k}": v for k, v in net.state_dict().items()}
        tensors |= {f"momentum.{i}": s["momentum_buffer"] for i, s in momenta.items()}
        tensors["note"] = torch.tensor(list(json.dumps(note).encode()), dtype=torch.uint8)
        self.store.put(f"{self.folder}/{len(state.curve):06d}.safetensors", to_bytes(tensors))
        for old in self.store.list(self.folder)[:-KEPT]:
            self.store.delete(old)
        self.saved_at = time.monotonic()
        self.interval_s = max(self.interval_s, WRITE_SHARE * (self.saved_at - started))

    def clear(self) -> None:
        """Removes the run's checkpoints once its result is committed."""
        for path in [] if self.none else self.store.list(self.folder):
            self.store.delete(path)


def under_way(store: Store) -> set[str]:
    """The keys of all runs with checkpoints: hardly any, since finished runs clear theirs."""
    return {path.split("/")[1] for path in store.list("checkpoints")}


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(prefix)}
