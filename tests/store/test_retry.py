import itertools
import math
import time

import pytest

from dass_ray.store import retry
from dass_ray.store.retry import attempts


@pytest.fixture
def pauses(monkeypatch):
    """The pauses, which take no time."""
    found = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


def test_as_many_as_asked_for(pauses):
    assert list(attempts(4)) == [False, False, False, True]
    assert list(attempts(1)) == [True]
    assert len(pauses) == 3


def test_pauses_grow_and_end(pauses, monkeypatch):
    monkeypatch.setattr("random.uniform", lambda low, high: high)
    list(attempts(12))
    assert pauses[:4] == [0.2, 0.4, 0.8, 1.6]
    assert max(pauses) == pauses[-1] == retry.LONGEST_PAUSE


def test_time_ends_them_no_sooner_than_asked(pauses, monkeypatch):
    clock = itertools.count(0.0, 1000.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert list(attempts(4, math.inf)) == [False, False, False, True]


def test_pauses_are_random(pauses):
    list(attempts(9))
    list(attempts(9))
    assert pauses[:8] != pauses[8:]
    assert sum(pauses[:8]) <= 45.4


def test_time_ends_them_too(monkeypatch, pauses):
    clock = itertools.count(0.0, 50.0)
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    assert list(attempts(9)) == [False, False, True]
