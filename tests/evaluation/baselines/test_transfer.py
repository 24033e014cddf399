import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.preprocessing import StandardScaler

from dass_ray.evaluation.baselines import transfer

SPEC = np.array([[1.0], [2], [3], [4]])


def test_scores_are_standardised_within_the_task():
    scores = np.array([[10.0, 5], [20, 5], [30, 5], [20, 5]])
    found = transfer.features(SPEC, scores)
    assert np.array_equal(found[:, :1], SPEC)
    assert found[:, 1].tolist() == pytest.approx([-(2**0.5), 0, 2**0.5, 0])
    assert found[:, 2].tolist() == [0, 0, 0, 0]


def test_what_is_not_finite_tells_nothing():
    scores = np.array([[1.0], [-np.inf], [3], [np.nan]])
    assert transfer.features(SPEC, scores)[:, 1].tolist() == pytest.approx([-1, 0, 1, 0])


def test_a_score_far_out_is_cut():
    scores = np.zeros((40, 1))
    scores[0] = 1e9
    assert transfer.features(np.ones((40, 1)), scores)[0, 1] == transfer.MOST


def test_is_boosting_on_all_tasks_with_standardised_accuracies():
    rng = np.random.default_rng(0)
    known = [rng.normal(size=(15, 3)) for _ in range(2)]
    accuracy = [0.5 + 0.1 * k[:, 0] for k in known]
    accuracy[1] = 3 * accuracy[1] - 1
    wanted = rng.normal(size=(10, 3))
    targets = np.concatenate([(a - a.mean()) / a.std() for a in accuracy])
    every = np.concatenate(known)
    scaler, model = StandardScaler().fit(every), GradientBoostingRegressor(random_state=0)
    model.fit(scaler.transform(every), (targets - targets.mean()) / targets.std())
    found = transfer.score(wanted, known, accuracy)
    assert found.tolist() == pytest.approx(model.predict(scaler.transform(wanted)).tolist())
    assert np.corrcoef(found, wanted[:, 0])[0, 1] > 0.8
