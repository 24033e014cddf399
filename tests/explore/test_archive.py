import numpy as np
import pytest

from dass_ray.cost import Cost
from dass_ray.explore.archive import Archive, Candidates, joined, keys

from ..make import TINY
from .make import SMALL, candidates, drawn


def some(n=5, seed=0, timed=True):
    made = candidates(TINY, np.unique(drawn(TINY, 60, seed), axis=0)[:n])
    latency = np.arange(1.0, n + 1) if timed else None
    cost = Cost(made.cost.params, made.cost.flops, latency)
    return Candidates(made.specs, made.predicted, np.arange(n) / 100, cost)


def assert_same(found, expected):
    assert np.array_equal(found.specs, expected.specs)
    for name in ("predicted", "uncertainty"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
    for name in ("params", "flops", "latency"):
        assert np.array_equal(getattr(found.cost, name), getattr(expected.cost, name))


def test_objectives_as_they_are():
    c = some()
    found = c.objectives(("accuracy", "accuracy_lower", "accuracy_upper"))
    expected = [c.predicted, c.predicted - c.uncertainty, c.predicted + c.uncertainty]
    assert np.array_equal(found, np.stack(expected, axis=1))
    found = c.objectives(("latency", "flops", "params"))
    expected = [c.cost.latency, c.cost.flops, c.cost.params]
    assert np.array_equal(found, np.stack(expected, axis=1))
    assert found.dtype == np.float64


def test_the_smaller_the_better():
    c = some()
    names = ("accuracy", "params", "accuracy_lower", "latency", "accuracy_upper", "flops")
    signs = [-1, 1, -1, 1, -1, 1]
    assert np.array_equal(c.minimised(names), c.objectives(names) * signs)


def test_objectives_without_latency():
    assert some(timed=False).objectives(("accuracy", "flops")).shape == (5, 2)


@pytest.mark.parametrize("index", [[4, 0, 4], [False, True, False, False, True], []])
def test_some_of_them(index):
    c = some()
    kind = bool if index and isinstance(index[0], bool) else np.int64
    found = c.at(np.array(index, kind))
    rows = np.arange(5)[np.array(index, kind)]
    assert len(found) == len(rows)
    assert np.array_equal(found.specs, c.specs[rows])
    assert np.array_equal(found.uncertainty, rows / 100)
    assert np.array_equal(found.cost.latency, rows + 1)


@pytest.mark.parametrize("timed", [True, False])
def test_joined_again(timed):
    c = some(timed=timed)
    assert_same(joined([c.at(np.arange(2)), c.at(np.array([2])), c.at(np.arange(3, 5))]), c)
    assert joined([c]) is c


def by_two(n=5):
    """Students with made-up scores for each of two teachers."""
    c = some(n)
    return Candidates.scored(c.specs, np.random.default_rng(0).random((n, 2, 2)), c.cost)


def test_of_several_teachers_the_best_counts():
    c = by_two()
    best = c.by_teacher[:, :, 0].argmax(axis=1)
    assert set(best) == {0, 1}
    for i, teacher in enumerate(best):
        assert [c.predicted[i], c.uncertainty[i]] == c.by_teacher[i, teacher].tolist()
    pairs, teachers = c.pairs()
    assert teachers.tolist() == [0, 1] * 5
    assert np.array_equal(pairs.specs, np.repeat(c.specs, 2, axis=0))
    assert pairs.cost.params.tolist() == np.repeat(c.cost.params, 2).tolist()
    assert np.array_equal(pairs.predicted, c.by_teacher[:, :, 0].ravel())
    assert np.array_equal(pairs.uncertainty, c.by_teacher[:, :, 1].ravel())


def test_scores_by_teacher_stay_with_their_students():
    c = by_two()
    found = joined([c.at(np.array([3, 1])), c.at(np.array([False, False, True, False, False]))])
    assert np.array_equal(found.by_teacher, c.by_teacher[[3, 1, 2]])


def test_one_teacher_makes_pairs_of_nothing_else():
    c = some()
    pairs, teachers = c.pairs()
    assert_same(pairs, c)
    assert teachers.tolist() == [0] * 5
    assert_same(Candidates.scored(c.specs, c.values, c.cost), c)
    assert Candidates.scored(c.specs, c.values, c.cost).by_teacher is None


def test_keys_are_the_students():
    specs = drawn(SMALL, 50)
    found = keys(specs)
    assert keys(specs.astype(np.int64)[::-1]) == found[::-1]
    assert len(set(found)) == len(np.unique(specs, axis=0))


def test_each_student_is_kept_once_and_its_first_score():
    archive, c = Archive(), some()
    archive.add(c.at(np.array([1, 0, 1])))
    later = Candidates(c.specs, c.predicted + 9, c.uncertainty, c.cost)
    archive.add(later)
    archive.add(later)
    assert len(archive) == len(archive.all) == 5
    assert np.array_equal(archive.all.specs, c.specs[[1, 0, 2, 3, 4]])
    assert archive.all.predicted.tolist() == [
        *c.predicted[[1, 0]], *(c.predicted[2:] + 9)
    ]  # fmt: skip


def test_the_order_is_that_of_coming():
    archive, c = Archive(), some()
    for index in ([3], [1, 4], [0], [2]):
        archive.add(c.at(np.array(index)))
    assert_same(archive.all, c.at(np.array([3, 1, 4, 0, 2])))
    assert_same(archive.all, c.at(np.array([3, 1, 4, 0, 2])))  # it stays
    archive.add(some(8, seed=1))
    assert len(archive.parts) == 2


def test_what_was_asked_for_or_told_is_known():
    archive, c = Archive(), some()
    archive.ask(c.specs[:2])
    assert archive.asked == set(keys(c.specs[:2]))
    assert len(archive) == 0
    archive.add(c.at(np.array([1, 3])))
    assert archive.asked == set(keys(c.specs[[0, 1, 3]]))
    assert archive.told == set(keys(c.specs[[1, 3]]))
