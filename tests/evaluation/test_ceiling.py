import numpy as np
import pytest
from scipy.stats import spearmanr

from dass_ray.evaluation.ceiling import agreement, ceiling, reachable
from dass_ray.evaluation.metrics import spearman
from dass_ray.evaluation.rankings import Truth


def truth(accuracy):
    accuracy = np.asarray(accuracy, dtype=float)
    return Truth("t", accuracy, np.arange(accuracy.shape[1]))


def test_agreement_is_the_mean_over_pairs():
    seeds = np.random.default_rng(0).normal(size=(3, 20))
    pairs = [(0, 1), (0, 2), (1, 2)]
    expected = np.mean([spearmanr(seeds[a], seeds[b]).statistic for a, b in pairs])
    assert agreement(seeds) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("agreed", "seeds", "expected"),
    [(1, 2, 1), (0.5, 1, 0.5**0.5), (0.5, 2, (2 / 3) ** 0.5), (0.0, 3, 0), (-0.4, 2, 0)],
)
def test_reachable_by_hand(agreed, seeds, expected):
    assert reachable(np.array(agreed), seeds) == pytest.approx(expected)


def test_is_what_a_perfect_predictor_gets():
    """Of many students with known true accuracy and noise as large as its spread."""
    rng = np.random.default_rng(0)
    true = rng.normal(size=20000)
    seeds = true + rng.normal(size=(3, 20000))
    got = spearman(true, seeds.mean(axis=0))
    assert reachable(agreement(seeds), 3) == pytest.approx(got, abs=0.02)


def test_interval_and_figures():
    rng = np.random.default_rng(1)
    seeds = rng.normal(size=40) + 0.5 * rng.normal(size=(2, 40))
    found = ceiling(truth(seeds))
    assert (found.task, found.seeds) == ("t", 2)
    assert found.agreement == pytest.approx(spearmanr(*seeds).statistic)
    assert found.low < found.reachable < found.high <= 1


def test_students_without_every_seed_are_left_out():
    seeds = np.array([[1.0, 2, 3, 9], [1, 2, 3, np.nan]])
    assert ceiling(truth(seeds)).agreement == pytest.approx(1)


@pytest.mark.parametrize("accuracy", [[[1, 2, 3]], [[1, 2, np.nan], [2, 1, 3]]])
def test_one_seed_or_few_students_have_none(accuracy):
    assert ceiling(truth(accuracy)) is None
