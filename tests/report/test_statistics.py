import numpy as np
import pytest

from dass_ray.report.statistics import compare, spearman


def test_means_and_difference():
    found = compare([0.8, 0.9], [0.7, 0.7, 0.7])
    assert (found.top, found.random) == (pytest.approx(0.85), pytest.approx(0.7))
    assert found.difference == pytest.approx(0.15)
    assert (found.top_n, found.random_n) == (2, 3)


def test_interval_agrees_with_scipy():
    from scipy.stats import bootstrap  # noqa: PLC0415 - slow to import

    rng = np.random.default_rng(3)
    top, random = rng.normal(0.8, 0.02, 12), rng.normal(0.75, 0.03, 9)
    theirs = bootstrap(
        (top, random), lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
        method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert compare(top, random).interval == pytest.approx(tuple(theirs), abs=1e-3)


def test_p_is_that_of_all_permutations():
    # 3 against 3, fully apart: of the 20 ways to split them 2 are as extreme
    assert compare([4, 5, 6], [1, 2, 3]).p == pytest.approx(0.1, abs=0.01)
    assert compare([1, 2], [1, 2]).p == 1


def test_same_figures_every_time():
    assert compare([0.8, 0.9], [0.7, 0.6]) == compare([0.8, 0.9], [0.7, 0.6])


@pytest.mark.parametrize(("top", "random"), [([0.8], [0.7, 0.6]), ([0.8, 0.9], [0.7])])
def test_one_student_gives_no_interval(top, random):
    found = compare(top, random)
    assert found.difference is not None
    assert (found.interval, found.p) == (None, None)


def test_an_empty_group_gives_no_difference():
    assert compare([0.8, 0.9], []).difference is None
    assert compare([], []).top is None


def test_spearman_by_hand():
    # differences of ranks 0, 1, -1, 0: 1 - 6 * 2 / (4 * 15)
    assert spearman([1, 2, 3, 4], [10, 30, 20, 40]) == pytest.approx(0.8)


@pytest.mark.parametrize("pairs", [([], []), ([1, 2], [1, 2]), ([1, 2, 3], [5, 5, 5])])
def test_spearman_of_too_little(pairs):
    assert spearman(*pairs) is None
