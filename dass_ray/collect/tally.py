"""Counts of a job under way: for a person, for logs and for Ray's dashboard."""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from dass_ray.actors import metrics
from dass_ray.records import RunRow

Log = Callable[[dict[str, Any]], None]
"""Is told the progress as a flat record that JSON can hold."""
LOG_S = 60.0
MOST_BAD = 100  # runs that are told one by one; all of them are in the store
SHOWN = ("done", "total", "in_flight", "runs_per_s", "utilisation")  # of the facts, as gauges


class Tally:
    """total: runs of the plan; done: those that the store had before."""

    def __init__(self, total: int, done: int, slots: int, log: Log | None) -> None:
        self.total, self.before, self.slots, self.log = total, done, slots, log
        self.by_status: Counter[str] = Counter()
        self.in_flight, self.kd_seconds, self.newest = 0, 0.0, ""
        self.started = self.logged = self.finished = time.monotonic()

    @property
    def done(self) -> int:
        """Runs of the plan that have a row."""
        return self.before + self.by_status.total()

    @property
    def bad(self) -> int:
        """Runs of this session that did not end well."""
        return self.by_status["failed"] + self.by_status["diverged"]

    def add(self, rows: Sequence[RunRow], kd_seconds: float) -> None:
        """Rows that are now in the store, and the time that a worker was inside KD for them."""
        for row in rows:
            self.by_status[row.status] += 1
            metrics.run_ended(row)
            self._tell_bad(row)
        self.kd_seconds += kd_seconds
        self.finished, self.newest = time.monotonic(), _note(rows[-1])

    def _tell_bad(self, row: RunRow) -> None:
        """Tells which run did not end well, where and why; its traceback is in the worker's log."""
        if self.log and row.status != "ok" and self.bad <= MOST_BAD:
            names = ("key", "status", "dataset", "teacher", "host", "error")
            self.log({"event": "run", "time": round(time.time(), 1)}
                     | {name: getattr(row, name) for name in names})  # fmt: skip

    def facts(self) -> dict[str, Any]:
        """Done, in flight, failed, rate, time left and the share of slots' time inside KD."""
        elapsed = max(self.finished - self.started, 1e-9)
        rate = self.by_status.total() / elapsed
        return {
            "done": self.done,
            "total": self.total,
            "in_flight": self.in_flight,
            "failed": self.by_status["failed"],
            "diverged": self.by_status["diverged"],
            "runs_per_s": round(rate, 3),
            "seconds_left": round((self.total - self.done) / rate) if rate else None,
            "kd_seconds": round(self.kd_seconds, 3),
            "utilisation": round(self.kd_seconds / (self.slots * elapsed), 3),
        }

    def note(self) -> str:
        """The same in a few words, beside a bar that has the rest."""
        facts = self.facts()
        bad = f", {self.bad} failed" if self.bad else ""
        used = f", {facts['utilisation']:.0%} in KD" if self.kd_seconds else ""
        return f"{self.in_flight} in flight{bad}{used} {self.newest}".rstrip()

    def tell(self, now: bool = False) -> None:
        """Tells the dashboard, and the log once a minute, or now."""
        facts = self.facts()
        for name in SHOWN:
            metrics.put(name, facts[name])
        metrics.store_retries()
        if self.log and (now or time.monotonic() - self.logged >= LOG_S):
            self.logged = time.monotonic()
            self.log({"event": "collect", "time": round(time.time(), 1), **facts})


def _note(row: RunRow) -> str:
    accuracy = row.status if row.validation is None else f"validation {row.validation:.1%}"
    return f"{row.dataset} {row.spec} {accuracy}"
