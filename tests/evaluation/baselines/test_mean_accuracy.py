import numpy as np
import pytest

from dass_ray.evaluation.baselines import mean_accuracy
from dass_ray.evaluation.baselines.mean_accuracy import standardised

A, B, C = [0.0, 0], [1.0, 0], [0.0, 5]


def test_standardised_by_hand():
    assert standardised(np.array([0.2, 0.4])).tolist() == pytest.approx([-1, 1])
    assert standardised(np.array([0.3, 0.3])).tolist() == [0, 0]


def score(wanted):
    known = [np.array([A, B], np.float32), np.array([A, C], np.float32)]
    accuracy = [np.array([0.2, 0.4]), np.array([0.9, 0.1])]  # standardised: -1, 1 and 1, -1
    return mean_accuracy.score(np.array(wanted, np.float32), known, accuracy).tolist()


def test_students_that_tasks_share():
    assert score([A, B, C]) == pytest.approx([0, 1, -1])


def test_others_get_the_mean_of_their_nearest(monkeypatch):
    monkeypatch.setattr(mean_accuracy, "NEAREST", 2)
    assert score([[0.9, 0], [0, 4]]) == pytest.approx([0.5, -0.5])
