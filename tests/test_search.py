"""Exploring goes on where nodes with Tune's trials were lost; Tune itself is left out here."""

from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError, RayTaskError

from dass_ray import search
from dass_ray.errors import UserError
from dass_ray.search import LOST, Stage, explore


class Told:
    """A searcher for which each session of Tune does one of the batches that are missing."""

    made = 0

    def __init__(self, *_):
        Told.made += 1
        self.missing, self.told, self.seconds = 1, 10, {"proposing": 0.5, "telling": 0.25}


@pytest.fixture
def explored(monkeypatch):
    """Explores with sessions of Tune that end with these errors."""
    monkeypatch.setattr(Told, "made", 0)
    monkeypatch.setattr(search, "BatchSearcher", Told)

    def run(*errors):
        left = iter(errors)
        monkeypatch.setattr(search, "_tune", lambda *_: next(left))
        stage = Stage(number=1, candidates=10, supports=((),))
        return explore(SimpleNamespace(), None, None, [], stage, lambda *_: None)

    return run


def in_a_trial(error):
    return RayTaskError("score_batch", "its traceback", error)


def test_a_lost_node_is_asked_for_again(explored):
    seconds = explored(ActorDiedError(), in_a_trial(ActorDiedError()), None)
    assert Told.made == 3
    assert seconds == {"proposing": 1.5, "telling": 0.75}


def test_nodes_are_not_lost_for_ever(explored):
    with pytest.raises(RuntimeError, match="scoring a batch failed"):
        explored(*[ActorDiedError()] * (LOST + 1))
    assert Told.made == LOST + 1


@pytest.mark.parametrize("error", [in_a_trial(ValueError("no score")), ValueError("no score")])
def test_what_a_trial_provokes_is_raised_at_once(explored, error):
    with pytest.raises(RuntimeError, match=r"no score|its traceback"):
        explored(error)


def test_what_a_scorer_cannot_load_is_one_line(explored):
    with pytest.raises(UserError, match=r"^no store$"):
        explored(in_a_trial(in_a_trial(UserError("no store"))))
    assert Told.made == 1
