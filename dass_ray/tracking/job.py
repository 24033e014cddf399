"""A job as its trackers see it: its own progress, and each KD run that has ended."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from dass_ray.errors import UserError
from dass_ray.records import RunRow
from dass_ray.tracking.base import Facts, TrackedRun, Tracker

OWN = "job"  # what the job's own run is called
KNOWN = ("key", "status", "error", "dataset", "teacher", "spec", "params", "flops", "seed",
         "device", "host")  # fmt: skip


@contextmanager
def telling(tracker: str) -> Iterator[None]:
    """UserError for whatever the package of a tracker raises: a server, a key, a full disk."""
    try:
        yield
    except Exception as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{tracker} could not be told: {why}; mend it, or leave it out of `track`, and the "
            "same command goes on"
        ) from error


class Job:
    """Tells every tracker the same, or nothing where there is none.

    facts: of the job itself, whose own run begins with the first figures.
    """

    def __init__(
        self, trackers: Mapping[str, Tracker] | None = None, facts: Facts | None = None
    ) -> None:
        self.trackers, self.facts = trackers or {}, facts or {}
        self.own: dict[str, TrackedRun] = {}

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """Figures of the job itself."""
        for name, tracker in self.trackers.items():
            with telling(name):
                if name not in self.own:
                    self.own[name] = tracker.start(OWN, self.facts)
                self.own[name].log(step, values)

    def runs(self, rows: Iterable[RunRow]) -> None:
        """KD runs that have ended, each as a run of its own: its curve, and where it ended."""
        for row in rows:
            for name, tracker in self.trackers.items():
                with telling(name):
                    _tell(tracker, row)

    def end(self, *, ok: bool) -> None:
        """The job has ended."""
        for name, run in self.own.items():
            with telling(name):
                run.end(ok=ok)


def _tell(tracker: Tracker, row: RunRow) -> None:
    recipe = {f"kd.{name}": str(value) for name, value in json.loads(row.recipe).items()}
    facts = {name: getattr(row, name) for name in KNOWN} | recipe
    run = tracker.start(f"{row.spec} seed {row.seed} {row.key[:8]}", facts)
    for epoch, accuracy in enumerate(row.curve, 1):
        run.log(epoch, {"validation": accuracy})
    ends = {"test": row.test, "seconds": row.seconds}
    run.log(len(row.curve), {name: value for name, value in ends.items() if value is not None})
    run.end(ok=row.status == "ok")
