"""Weights & Biases: a run for each of ours, as WANDB_MODE and the other variables of wandb say.

The project is WANDB_PROJECT, by default `dass-ray`; the job is the group.
"""

import os
from collections.abc import Mapping
from typing import Any

import wandb

from dass_ray.tracking.base import Facts


class WandbRun:
    """A run of wandb."""

    def __init__(self, run: Any) -> None:  # noqa: ANN401 - wandb's types are not those of a release
        self.run = run

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackedRun.log`."""
        self.run.log(dict(values), step=step)

    def end(self, *, ok: bool) -> None:
        """See `TrackedRun.end`."""
        self.run.finish(exit_code=0 if ok else 1)


class Wandb:
    """The runs of a job as one group."""

    def __init__(self, group: str) -> None:
        self.group = group

    def start(self, name: str, facts: Facts) -> WandbRun:
        """See `Tracker.start`; several runs may be open at once."""
        run = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "dass-ray"),
            group=self.group,
            name=name,
            config=dict(facts),
            reinit="create_new",
            settings=wandb.Settings(silent=True, console="off"),
        )
        return WandbRun(run)
