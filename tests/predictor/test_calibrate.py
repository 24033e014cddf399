import dataclasses

import numpy as np
import pytest
import torch

from dass_ray.predictor.calibrate import LEVELS, calibrated, quantile
from dass_ray.predictor.learner import Learner

from . import make


def test_quantile_by_hand():
    """Of 9 values, the 80% quantile is the 8th: ceil(10 * 0.8)."""
    assert quantile([9, 8, 7, 6, 5, 4, 3, 2, 1], 0.8) == 8
    assert quantile([3, 1, 2], 0.5) == 2
    assert quantile([3, 1, 2], 0.95) == 3  # too few: the largest


def test_the_quantile_covers_as_promised():
    """Exchangeable residuals: the coverage of a new one is at least the level."""
    rng, hits = np.random.default_rng(0), []
    for _ in range(4000):
        drawn = rng.exponential(size=20)
        hits.append(drawn[19] <= quantile(drawn[:19].tolist(), 0.8))
    assert 0.78 < np.mean(hits) < 0.83


@pytest.fixture(scope="module")
def tasks():
    return [make.runs(seed=seed, noise=0.05) for seed in range(3)]


def covered(predictor, tasks, level):
    inside = []
    for runs in tasks:
        adapted = predictor.adapted(runs.task)
        low, high = adapted.interval(adapted.score(runs.students), level)
        inside.append((low <= runs.accuracy) & (runs.accuracy <= high))
    return torch.cat(inside).float().mean().item()


def test_intervals_hold_on_the_tasks_that_gave_them(tasks):
    found = calibrated(Learner(tasks, make.config()).predictor(), tasks)
    for level in LEVELS:
        assert level <= covered(found, tasks, level) <= level + 0.06
    factors = [found.intervals.factors[level] for level in LEVELS]
    assert factors == sorted(factors)


def test_a_single_member_has_intervals_too(tasks):
    found = calibrated(Learner(tasks, make.config(members=1)).predictor(), tasks)
    assert found.intervals.floor == pytest.approx(1e-6)
    assert covered(found, tasks, 0.8) >= 0.8


def test_factors_by_hand(tasks):
    predictor, runs = Learner(tasks, make.config()).predictor(), tasks[0]
    scores = predictor.adapted(runs.task).score(runs.students)
    off = dataclasses.replace(runs, accuracy=scores.mean + 0.3)
    found = calibrated(predictor, [off]).intervals
    assert found.floor == pytest.approx(scores.std.mean().item())
    ratios = sorted((0.3 / (scores.std + found.floor)).tolist())
    assert found.factors[0.8] == pytest.approx(ratios[19], rel=1e-5)  # ceil(25 * 0.8) = 20
