import numpy as np
import pytest
import torch

from dass_ray.evaluation import ours
from dass_ray.evaluation.baselines.fitted import draws
from dass_ray.predictor import checkpoint
from dass_ray.predictor.model import Verified
from dass_ray.predictor.tasks import embed, task_ledgers

from ..make import TINY


@pytest.fixture
def known(store, tmp_path):
    _, predictor = checkpoint.load(store, "small", TINY)
    (task,) = task_ledgers(store, ["c"], TINY)
    return predictor, embed(store, task, TINY, predictor.net.encodings, tmp_path)


def test_ranking_is_by_the_mean_with_calibrated_intervals(known):
    predictor, runs = known
    found = ours.ranking(predictor, runs, 0.5)
    adapted = predictor.adapted(runs.task)
    scores = adapted.score(runs.students)
    assert found.scores.tolist() == [scores.mean.tolist()]
    low, high = adapted.interval(scores, 0.8)
    assert (found.low.tolist(), found.high.tolist()) == (low.tolist(), high.tolist())
    assert (found.method, found.group, found.seconds) == ("predictor", "ours", 0.5)


def test_given_runs_are_learned_from_and_not_judged(known):
    predictor, runs = known
    found = ours.given_runs(predictor, runs, 3, 2, 0.5, run_seconds=10.0)
    assert (found.method, found.group) == ("predictor, 3 runs", "KD on target")
    assert (found.seconds, found.target_seconds) == (0.5, 30.0)
    for given, scores in zip(draws(6, 3, 2), found.scores, strict=True):
        chosen = torch.from_numpy(given)
        verified = Verified(runs.students[chosen], runs.accuracy[chosen])
        expected = predictor.adapted(runs.task, verified).score(runs.students).mean.numpy()
        rest = ~np.isnan(scores)
        assert sorted(given) == np.flatnonzero(~rest).tolist()
        assert scores[rest].tolist() == expected[rest].tolist()


def test_enough_students_are_left(known):
    assert ours.enough(known[1], (2, 3, 4, 20)) == [2, 3]
