import json

import pytest

from dass_ray.collect import tally
from dass_ray.collect.tally import LOG_S, Tally

from ..make import row


@pytest.fixture
def clock(monkeypatch):
    """Time that stands still until a test moves it."""
    now = [100.0]
    monkeypatch.setattr(tally.time, "monotonic", lambda: now[0])
    return now


def test_facts(clock):
    found = Tally(total=20, done=8, slots=2, log=None)
    clock[0] += 5
    found.add([row("a"), row("b"), row("c", status="failed")], 7.0)
    found.in_flight = 6
    clock[0] += 100  # nothing has ended since: the rate is that of what did
    assert found.facts() == {
        "done": 11, "total": 20, "in_flight": 6, "failed": 1, "diverged": 0, "runs_per_s": 0.6,
        "seconds_left": 15, "kd_seconds": 7.0, "utilisation": 0.7,
    }  # fmt: skip
    assert found.note() == "6 in flight, 1 failed, 70% in KD tinges 4-4/8-8 validation 80.0%"


def test_before_anything_has_ended(clock):
    found = Tally(total=20, done=8, slots=2, log=None)
    assert found.facts()["seconds_left"] is None
    assert found.note() == "0 in flight"


def test_a_line_a_minute(clock):
    lines = []
    found = Tally(total=3, done=0, slots=1, log=lines.append)
    for _ in range(130):
        clock[0] += 1
        found.tell()
    assert len(lines) == 130 // LOG_S
    found.tell(now=True)
    assert len(lines) == 3
    assert json.loads(json.dumps(lines[-1]))["event"] == "collect"


def test_what_ends_badly_is_told_one_by_one(clock):
    lines = []
    found = Tally(total=900, done=0, slots=1, log=lines.append)
    found.add([row("a"), row("b", status="failed", error="OutOfMemory: 3 GiB", host="n7")], 1.0)
    (line,) = lines
    assert json.loads(json.dumps(line)).items() >= {
        "event": "run", "key": "b", "status": "failed", "host": "n7", "error": "OutOfMemory: 3 GiB",
    }.items()  # fmt: skip
    found.add([row("c", status="diverged")] * 300, 1.0)
    assert len(lines) == tally.MOST_BAD
