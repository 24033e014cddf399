"""Batches of a search as one curve; Tune itself is in tests/test_path.py."""

from types import SimpleNamespace

import pytest

from dass_ray.errors import UserError
from dass_ray.explore.tracked import TellBatches
from dass_ray.tracking.job import Job


class Kept:
    """A tracker that keeps what it is told, or cannot be reached."""

    def __init__(self, error=None):
        self.error, self.told = error, []

    def start(self, name, facts):
        if self.error:
            raise self.error
        return self

    def log(self, step, values):
        self.told.append((step, values))


def complete(searcher, tracker, *columns):
    """columns: predictions and deviations, for each teacher."""
    trial = SimpleNamespace(last_result={"scored": list(columns)})
    told = TellBatches(searcher, Job({"mlflow": tracker}))
    told.on_trial_complete(iteration=1, trials=[trial], trial=trial)


def test_a_batch_is_a_point():
    kept = Kept()
    complete(SimpleNamespace(told=16, best=0.75), kept, [0.25, 0.5], [0.1, 0.1])
    complete(SimpleNamespace(told=32, best=float("-inf")), kept)  # none new, none in limits
    two = [0.25, 0.5], [0.1, 0.1], [0.75, 0.0], [0.1, 0.1]
    complete(SimpleNamespace(told=48, best=0.75), kept, *two)
    assert kept.told == [
        (16, {"best_predicted": 0.75, "batch_mean": 0.375, "batch_best": 0.5}),
        (32, {}),
        (48, {"best_predicted": 0.75, "batch_mean": 0.625, "batch_best": 0.75}),
    ]


def test_a_tracker_that_is_gone_stops_the_search_with_one_line():
    searcher = SimpleNamespace(told=16, best=0.75, failure=None)
    with pytest.raises(UserError, match="mlflow could not be told: no way; mend it"):
        complete(searcher, Kept(OSError("no way")), [0.5], [0.1])
    assert "no way" in str(searcher.failure)
