import numpy as np
import pytest

from dass_ray.evaluation.bootstrap import interval, resamples


def test_resamples_are_drawn_with_replacement_and_always_the_same():
    found = resamples(10, 200)
    assert found.shape == (200, 10)
    assert np.array_equal(found, resamples(10, 200))
    assert not np.array_equal(found, resamples(10, 200, seed=1))
    assert set(found.ravel()) == set(range(10))
    distinct = np.mean([len(set(row)) for row in found])
    assert distinct == pytest.approx(10 * (1 - 0.9**10), abs=0.3)


def test_interval_of_percentiles():
    assert interval(np.arange(101.0)) == pytest.approx((2.5, 97.5))
    assert interval(np.arange(101.0), 0.8) == pytest.approx((10, 90))


def test_interval_of_a_mean_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(size=400)
    means = values[resamples(400, 2000)].mean(axis=1)
    low, high = interval(means)
    assert high - low == pytest.approx(2 * 1.96 * values.std() / 20, rel=0.05)
