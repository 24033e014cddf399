"""What drivers and scorers tell Ray's dashboard and Prometheus, as `ray_dass_ray_*`.

Ray adds the node, the process and the session to every figure, and `_total` to a counter's name. It
knows a histogram's counts alone: its sum is made of the middles of the buckets (Ray 2.60), so that
means are to be taken from the counters of seconds.

KD workers tell the driver, and it the metrics: on GPUs Ray starts a process for each task, and
Prometheus sees no growth in a counter that is born with its last value.
"""

import functools
from collections.abc import Mapping
from typing import Any

from ray.util import metrics

from dass_ray.records import RunRow
from dass_ray.store.retry import AGAIN

PREFIX = "dass_ray_"
COUNTERS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "runs": ("KD runs that have ended and have a row", ("status", "dataset")),
    "kd_seconds": ("Time inside KD, s", ("dataset",)),
    "scored": ("Students scored", ()),
    "score_seconds": ("Time inside scoring, s", ()),
    "store_retries": ("Requests to the store that were sent again", ()),
}
GAUGES: Mapping[str, str] = {
    "done": "Runs of the plan with a row",
    "total": "Runs of the plan",
    "in_flight": "Runs in submitted tasks",
    "runs_per_s": "Runs ended a second",
    "utilisation": "Share of the slots' time inside KD",
    "candidates": "Candidates of the search with a score",
    "batches_in_flight": "Batches of candidates being scored",
    "scorers": "Scorer actors of the search",
}
HISTOGRAMS: Mapping[str, tuple[str, tuple[str, ...], tuple[float, ...]]] = {
    "run_seconds": ("Time of one KD run, s", ("status",), tuple(2.0**i for i in range(17))),
}


def add(name: str, value: float = 1, **tags: str) -> None:
    """Adds to a counter of COUNTERS; nothing for 0."""
    if value > 0:
        _counter(name).inc(value, tags)


def put(name: str, value: float) -> None:
    """Sets a gauge of GAUGES."""
    _gauge(name).set(value)


def run_ended(row: RunRow) -> None:
    """For the driver: one run has its row."""
    add("runs", status=row.status, dataset=row.dataset)
    add("kd_seconds", row.seconds, dataset=row.dataset)
    _histogram("run_seconds").observe(row.seconds, {"status": row.status})


def store_retries(of_worker: int = 0) -> None:
    """What this process, and a worker, have sent to the store again since the last call."""
    add("store_retries", AGAIN.take() + of_worker)


def exported() -> set[str]:
    """The names that Prometheus sees."""
    parts = ("bucket", "count", "sum")
    return {
        *(f"ray_{PREFIX}{name}_total" for name in COUNTERS),
        *(f"ray_{PREFIX}{name}" for name in GAUGES),
        *(f"ray_{PREFIX}{name}_{part}" for name in HISTOGRAMS for part in parts),
    }


# Made when they are first used, in the process that tells them: Ray's metrics have no type here.
@functools.cache
def _counter(name: str) -> Any:  # noqa: ANN401
    text, tags = COUNTERS[name]
    return metrics.Counter(PREFIX + name, text, tags)


@functools.cache
def _gauge(name: str) -> Any:  # noqa: ANN401
    return metrics.Gauge(PREFIX + name, GAUGES[name])


@functools.cache
def _histogram(name: str) -> Any:  # noqa: ANN401
    text, tags, bounds = HISTOGRAMS[name]
    return metrics.Histogram(PREFIX + name, text, bounds, tags)
