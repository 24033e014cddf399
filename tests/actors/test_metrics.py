"""Metrics by name; that Prometheus sees them is seen in tests/collect and tests/cluster."""

import pytest

from dass_ray.actors import metrics
from dass_ray.store.retry import AGAIN

from ..make import row


class Told:
    """In place of Ray's metrics of one kind."""

    def __init__(self):
        self.calls = []

    def inc(self, value, tags):
        self.calls.append((value, tags))

    observe = inc


@pytest.fixture
def told(monkeypatch):
    made = {}
    for kind in ("_counter", "_histogram"):
        monkeypatch.setattr(metrics, kind, lambda name: made.setdefault(name, Told()))
    return made


def test_a_run_that_ended(told):
    metrics.run_ended(row(status="failed", seconds=0.0))
    metrics.run_ended(row(seconds=2.5))
    assert told["runs"].calls == [
        (1, {"status": "failed", "dataset": "tinges"}),
        (1, {"status": "ok", "dataset": "tinges"}),
    ]
    assert told["kd_seconds"].calls == [(2.5, {"dataset": "tinges"})]  # Ray refuses 0
    assert told["run_seconds"].calls == [(0.0, {"status": "failed"}), (2.5, {"status": "ok"})]


def test_retries_are_told_once(told):
    AGAIN.take()
    AGAIN.add()
    metrics.store_retries(of_worker=2)
    metrics.store_retries()
    assert told["store_retries"].calls == [(3, {})]


def test_names_are_those_that_prometheus_sees():
    names = metrics.exported()
    assert {
        "ray_dass_ray_runs_total",
        "ray_dass_ray_done",
        "ray_dass_ray_run_seconds_bucket",
    } <= names
    with pytest.raises(KeyError):
        metrics.put("doen", 1)
