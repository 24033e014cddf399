import numpy as np
import pytest
from scipy.stats import kendalltau, pearsonr, spearmanr

from dass_ray.evaluation import metrics

NAN = np.nan


def pairs(seed):
    """Scores and accuracies [4, 30] with ties."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 12, (4, 30)).astype(float)
    return scores, scores + rng.normal(0, 4, (4, 30)).round()


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [(metrics.spearman, spearmanr), (metrics.kendall, kendalltau), (metrics.pearson, pearsonr)],
    ids=["spearman", "kendall", "pearson"],
)
def test_correlations_are_scipys(ours, theirs, seed):
    scores, real = pairs(seed)
    expected = [theirs(s, r).statistic for s, r in zip(scores, real, strict=True)]
    assert ours(scores, real).tolist() == pytest.approx(expected)


@pytest.mark.parametrize("metric", [metrics.spearman, metrics.kendall])
def test_students_without_a_figure_are_left_out(metric):
    scores, real = (values[0] for values in pairs(0))
    holes = scores.copy()
    holes[[3, 5]] = NAN
    missing = real.copy()
    missing[7] = NAN
    rest = np.delete(np.arange(30), [3, 5, 7])
    assert metric(holes, missing) == pytest.approx(metric(scores[rest], real[rest]))


@pytest.mark.parametrize("metric", [metrics.spearman, metrics.kendall])
def test_equal_scores_rank_nothing(metric):
    assert metric(np.ones(5), np.arange(5.0)) == 0
    assert metric(np.arange(5.0), np.ones(5)) == 0


@pytest.mark.parametrize("metric", [metrics.spearman, metrics.kendall])
def test_no_students_are_not_ranked(metric):
    """As in a bootstrap resample that holds none but the students that a method was given."""
    assert metric(np.full(3, NAN), np.arange(3.0)) == 0


def test_one_accuracy_for_many_scores():
    scores, real = pairs(1)
    found = metrics.spearman(scores, real[0])
    assert found.tolist() == [metrics.spearman(s, real[0]) for s in scores]


def test_an_infinite_score_is_the_lowest():
    assert metrics.spearman(np.array([-np.inf, 0, 1]), np.array([1.0, 2, 3])) == pytest.approx(1)


def test_precision_by_hand():
    scores = np.array([[9.0, 8, 7, 1, 0], [0, 1, 7, 8, 9]])
    real = np.array([0.5, 0.1, 0.6, 0.7, 0.2])
    assert metrics.precision_at(3)(scores, real).tolist() == pytest.approx([2 / 3, 2 / 3])
    assert metrics.precision_at(1)(real, real) == 1
    assert metrics.precision_at(2)(np.array([1, NAN, 0.5, NAN, 0]), real) == 1  # of 0.5, 0.6, 0.2


def test_regret_by_hand():
    real = np.array([0.5, 0.1, 0.6, 0.7, 0.2])
    scores = np.array([3.0, 2, 1, 0, -1])
    assert metrics.regret_at(1)(scores, real) == pytest.approx(0.2)
    assert metrics.regret_at(3)(scores, real) == pytest.approx(0.1)
    assert metrics.regret_at(5)(scores, real) == 0
    without_best = np.array([3, 2, 1, NAN, -1])
    assert metrics.regret_at(1)(without_best, real) == pytest.approx(0.1)


def test_strata_by_hand():
    """Size decides everything between the strata, and is wrong within them."""
    params = np.array([10.0, 12, 11, 100, 120, 110])
    real = np.array([0.3, 0.1, 0.2, 0.9, 0.7, 0.8])
    metric = metrics.within_strata(params, 3)
    assert metric(params, real) == pytest.approx(-1)
    assert metric(real, real) == pytest.approx(1)
    assert metrics.spearman(params, real) > 0.5
    mixed = np.array([[0.3, 0.1, 0.2, 7.0, 9.0, 8.0]])
    assert metric(mixed, real).tolist() == pytest.approx([0])


def test_fewer_students_than_a_stratum():
    real = np.array([0.1, 0.3, 0.2])
    assert metrics.within_strata(np.arange(3.0), 8)(real, real) == pytest.approx(1)


def test_coverage_counts_the_ends():
    low, high = np.zeros(4), np.ones(4)
    assert metrics.coverage(low, high, np.array([0.0, 1, 1.1, -0.1])) == 0.5
