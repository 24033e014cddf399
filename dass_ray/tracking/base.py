"""What a tracker is: a place beside the store where people watch runs."""

from collections.abc import Mapping
from typing import Protocol

Facts = Mapping[str, str | int | float]
"""What is known of a run when it starts."""


class TrackedRun(Protocol):
    """A run that is told to a tracker."""

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Figures after so many steps; steps never go down."""
        ...

    def end(self, *, ok: bool) -> None:
        """The run has ended, well or not."""
        ...


class Tracker(Protocol):
    """Takes the runs of one job. Errors are those of its own package."""

    def start(self, name: str, facts: Facts) -> TrackedRun:
        """A new run; its name is unique in the job."""
        ...
