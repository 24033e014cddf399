import dataclasses

import numpy as np
import pytest
import torch

from dass_ray.cost import Cost
from dass_ray.predictor.evaluate import Agreement, evaluate

from . import make

REAL = [0.5, 0.9, 0.8, 0.6, 0.7]


@pytest.fixture(scope="module")
def runs():
    """Five students whose parameters rank them well and whose FLOPs rank them backwards."""
    params = np.array([10, 50, 30, 20, 40])
    costs = Cost(params, np.array([5, 1, 2, 4, 3]))
    return dataclasses.replace(
        make.runs("task", students=5), accuracy=torch.tensor(REAL), costs=costs
    )


def by_ranking(found):
    return {agreement.ranking: agreement for agreement in found}


def test_by_hand(runs):
    found = by_ranking(evaluate(make.Fixed([0.1, 0.5, 0.3, 0.4, 0.2]), runs))
    assert list(found) == ["predictor", "parameters", "FLOPs"]
    assert {(a.task, a.n) for a in found.values()} == {("task", 5)}
    # ranks of reality 1 5 4 2 3, of the predictor 1 5 3 4 2, of the parameters 1 5 3 2 4
    assert found["predictor"].spearman == pytest.approx(1 - 6 * (1 + 4 + 1) / (5 * 24))
    assert found["predictor"].kendall == pytest.approx((8 - 2) / 10)
    assert found["parameters"].spearman == pytest.approx(1 - 6 * (1 + 1) / (5 * 24))
    assert found["parameters"].kendall == pytest.approx((9 - 1) / 10)
    assert found["FLOPs"].spearman == pytest.approx(-1)
    assert found["FLOPs"].kendall == pytest.approx(-1)


@pytest.mark.parametrize(("scores", "value"), [(REAL, 1), ([-r for r in REAL], -1)])
def test_ends_of_the_scale(runs, scores, value):
    found = by_ranking(evaluate(make.Fixed(scores), runs))["predictor"]
    assert found == Agreement("task", "predictor", 5, pytest.approx(value), pytest.approx(value))
