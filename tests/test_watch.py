import pytest

from dass_ray import watch
from dass_ray.watch import Clock, Prefixed, Silent


class Heard(list):
    def phase(self, name, total):
        self.append((name, total))

    def step(self, done, note):
        self.append((done, note))


def test_prefixed_phases_have_longer_names():
    heard = Heard()
    watcher = Prefixed(heard, "round 2 of 3: ")
    watcher.phase("distilling", 4)
    watcher.step(1, "first")
    assert heard == [("round 2 of 3: distilling", 4), (1, "first")]


def test_silence():
    Silent().phase("distilling", 4)
    Silent().step(1, "first")


@pytest.fixture
def now(monkeypatch):
    """A clock that stands still unless it is moved."""
    hands = [100.0]
    monkeypatch.setattr(watch.time, "monotonic", lambda: hands[0])
    return hands


def test_phases_of_one_name_are_added_up(now):
    clock = Clock()
    for name, seconds in (("explore", 2.0), ("verify", 5.0), ("explore", 0.5)):
        with clock.phase(name):
            now[0] += seconds
        now[0] += 1000  # between phases
    assert clock.seconds == {"explore": 2.5, "verify": 5.0}


def test_a_phase_within_a_phase(now):
    clock = Clock()
    with clock.phase("all"):
        now[0] += 1
        with clock.phase("part"):
            now[0] += 2
    assert clock.seconds == {"all": 3, "part": 2}
