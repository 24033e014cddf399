"""Where a meta-training goes on after it was stopped, with the same result as if it never was."""

import json
import time
from dataclasses import dataclass
from typing import Protocol

import torch

from dass_ray.models.weights import from_bytes, to_bytes
from dass_ray.predictor.layers import Params
from dass_ray.predictor.learner import Learner, MetaTrained
from dass_ray.store.base import Store

INTERVAL_S = 30.0
KEPT = 2
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")


@dataclass
class Progress:
    """Episodes done, and the best predictor so far."""

    episode: int
    best: MetaTrained | None


class States(Protocol):
    """Keeps the state of one meta-training."""

    def load(self, learner: Learner) -> Progress | None:
        """Restores the newest state in place; None where there is none."""
        ...

    def save(self, learner: Learner, progress: Progress) -> None:
        """May keep the state."""
        ...


class NotKept:
    """For trainings that are short."""

    def load(self, learner: Learner) -> Progress | None:
        """There is never one."""

    def save(self, learner: Learner, progress: Progress) -> None:
        """Nothing is kept."""


class StoreStates:
    """States under `checkpoints/<key>/` of a store, at most one in `interval_s` seconds.

    key: identity of the training, a hash of all that decides its result.
    """

    def __init__(self, store: Store, key: str, interval_s: float = INTERVAL_S) -> None:
        self.store, self.folder, self.interval_s = store, f"checkpoints/{key}", interval_s
        self.saved_at = time.monotonic()

    def load(self, learner: Learner) -> Progress | None:
        """Restores the newest state in place; None where there is none."""
        if not (paths := self.store.list(self.folder)):
            return None
        tensors = from_bytes(self.store.get(paths[-1]), paths[-1])
        note = json.loads(bytes(tensors.pop("note").tolist()))
        best = learner.predictor(_part(tensors, "best_params"), _part(tensors, "best_rates"))
        for name, value in learner.params.items():
            value.copy_(tensors[f"params.{name}"])
        for name, value in learner.rates.items():
            value.copy_(tensors[f"rates.{name}"])
        state = learner.optimizer.state_dict()
        for i in range(len(learner.params) + len(learner.rates)):
            state["state"][i] = {moment: tensors[f"{moment}.{i}"] for moment in _MOMENTS}
        learner.optimizer.load_state_dict(state)
        return Progress(note["episode"], MetaTrained(best, note["best"], note["validation"]))

    def save(self, learner: Learner, progress: Progress) -> None:
        """Keeps the state if the last one is old enough."""
        if time.monotonic() - self.saved_at < self.interval_s:
            return
        best = progress.best
        assert best is not None  # states are kept after a validation
        note = {"episode": progress.episode, "best": best.episode, "validation": best.validation}
        groups = {
            "params": learner.params, "rates": learner.rates,
            "best_params": best.predictor.params, "best_rates": best.predictor.rates,
        }  # fmt: skip
        tensors = {f"{group}.{k}": v for group, part in groups.items() for k, v in part.items()}
        for i, moments in learner.optimizer.state_dict()["state"].items():
            tensors |= {f"{moment}.{i}": moments[moment] for moment in _MOMENTS}
        tensors["note"] = torch.tensor(list(json.dumps(note).encode()), dtype=torch.uint8)
        self.store.put(f"{self.folder}/{progress.episode:08d}.safetensors", to_bytes(tensors))
        for old in self.store.list(self.folder)[:-KEPT]:
            self.store.delete(old)
        self.saved_at = time.monotonic()

    def clear(self) -> None:
        """Removes the states once the predictor is committed."""
        for path in self.store.list(self.folder):
            self.store.delete(path)


def _part(tensors: Params, prefix: str) -> Params:
    return {
        k.removeprefix(f"{prefix}."): v for k, v in tensors.items() if k.startswith(prefix + ".")
    }
