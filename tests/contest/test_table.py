import pytest

from dass_ray.contest.run import KD, OURS, Entry
from dass_ray.contest.table import best_first, lines
from dass_ray.limits import Limits


def entry(way, test, validation=None, seconds=0.0):
    n = len(test)
    return Entry(way, Limits(), (1,) * n, tuple(validation or test), tuple(test), seconds, 2.0 * n)


def test_means_over_limits_and_the_distance_to_ours():
    found = lines(
        [
            entry(OURS, [0.5, 0.7], seconds=3),
            entry("random", [0.3, 0.5]),
            entry(OURS, [0.8, 0.8]),
            entry("random", [0.8, 0.8]),
        ]
    )
    ours, random = found
    assert (ours.mean, random.mean) == (pytest.approx(0.7), pytest.approx(0.6))
    assert (ours.ours_more, ours.low, ours.high) == (0, 0, 0)
    assert random.ours_more == pytest.approx(0.1)
    assert random.low < 0.1 < random.high
    assert (ours.seconds, ours.kd_seconds) == (3, 8)


def test_students_that_always_differ_are_clear_of_zero():
    found = lines([entry(OURS, [0.8, 0.81, 0.82, 0.83]), entry("x", [0.5, 0.51, 0.52, 0.53])])
    assert found[1].low > 0.25


def test_a_longer_search_is_judged_by_as_many_students_chosen_on_validation():
    longer = entry(KD, test=[0.1, 0.9, 0.4, 0.6], validation=[0.4, 0.2, 0.3, 0.1])
    assert best_first(longer, 2).tolist() == [0.1, 0.4]
    _, kd = lines([entry(OURS, [0.5, 0.5]), longer])
    assert kd.mean == pytest.approx(0.25)
    assert kd.best == pytest.approx(0.1)
