import numpy as np
import pyarrow as pa
import pytest

from dass_ray.report.candidates import Candidates
from dass_ray.searches import BATCH_SCHEMA


def batch(*rows):
    """A batch of (spec, predicted, params, flops, feasible)."""
    columns = zip(*rows, strict=True)
    names = ("spec", "predicted", "params", "flops", "feasible")
    more = {
        "uncertainty": [0.1] * len(rows),
        "latency": [None] * len(rows),
        "round": [1] * len(rows),
    }
    return pa.table(dict(zip(names, columns, strict=True)) | more, schema=BATCH_SCHEMA)


@pytest.fixture
def candidates():
    first = batch(("a", 0.9, 50, 9, False), ("b", 0.5, 10, 8, True), ("c", 0.4, 20, 7, True))
    second = batch(("d", 0.7, 20, 6, True), ("e", 0.7, 30, 5, True), ("b", 0.5, 10, 8, True))
    return Candidates.of([first, second])


def test_front_has_only_feasible_candidates_that_nothing_beats(candidates):
    assert [candidates.specs[i] for i in candidates.front("params")] == ["b", "d"]
    assert [candidates.specs[i] for i in candidates.front("flops")] == ["e"]


def test_front_matches_its_definition():
    rng = np.random.default_rng(0)
    rows = [
        (str(i), rng.integers(9) / 9, int(rng.integers(30)), 1, bool(rng.integers(2)))
        for i in range(300)
    ]
    found = Candidates.of([batch(*rows)])
    within = [row for row in rows if row[4]]

    def beaten(row):
        return any(
            r[1] >= row[1] and r[2] <= row[2] and (r[1], r[2]) != (row[1], row[2]) for r in within
        )

    expected = {(row[1], row[2]) for row in within if not beaten(row)}
    front = found.front("params")
    assert {(found.predicted[i], found.params[i]) for i in front} == expected
    assert len(front) == len(expected)


def test_best_so_far_counts_only_feasible_ones(candidates):
    assert candidates.best_so_far().tolist() == [-np.inf, 0.5, 0.5, 0.7, 0.7, 0.7]
    assert candidates.best == 3


def test_shares_are_those_of_each_batch(candidates):
    ends, shares = candidates.feasible_shares()
    assert ends.tolist() == [3, 6]
    assert shares.tolist() == pytest.approx([2 / 3, 1])


def test_a_student_that_was_proposed_twice_counts_once_as_different(candidates):
    assert (len(candidates), candidates.distinct) == (6, 5)


def test_no_candidates():
    none = Candidates.of([])
    assert (len(none), none.best, none.front("flops").tolist()) == (0, None, [])


def test_none_within_the_limits():
    found = Candidates.of([batch(("a", 0.9, 50, 9, False))])
    assert found.best is None
    assert found.front("params").tolist() == []
