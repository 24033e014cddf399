import pytest

from dass_ray.report.students import match

from . import make


@pytest.fixture
def task(store):
    """A card with two seeds, and three chosen students."""
    card = make.card(store, seeds=(0, 1))
    return card, make.choose(store, card, ("top", "top", "random"), (0.8, 0.7, 0.6))


def rows_of(store, card, choice, *runs):
    """Rows of one choice: (seed, validation, status)."""
    done = [
        make.distil(store, card, choice, validation=v, test=v and v - 0.1, seed=seed, status=status)
        for seed, v, status in runs
    ]
    return {row.key: row for row in done}


def test_accuracy_is_the_mean_over_seeds(store, task):
    card, (choice, *_) = task
    [student] = match([choice], rows_of(store, card, choice, (0, 0.8, "ok"), (1, 0.9, "ok")))
    assert (student.status, student.note) == ("ok", "ok")
    assert student.validation == pytest.approx(0.85)
    assert student.test == pytest.approx(0.75)


def test_no_run_done(task):
    [student] = match(task[1][:1], {})
    assert (student.status, student.note) == ("waiting", "0 of 2 runs done")
    assert (student.validation, student.test) == (None, None)


def test_half_of_the_runs_done(store, task):
    card, (choice, *_) = task
    [student] = match([choice], rows_of(store, card, choice, (0, 0.8, "ok")))
    assert (student.status, student.note) == ("waiting", "1 of 2 runs done")
    assert student.validation == 0.8


@pytest.mark.parametrize("status", ["diverged", "failed"])
def test_one_bad_run_marks_the_student(store, task, status):
    card, (choice, *_) = task
    rows = rows_of(store, card, choice, (0, 0.8, "ok"), (1, None, status))
    [student] = match([choice], rows)
    assert (student.status, student.note) == (status, f"{status} (1 of 2 runs)")
    assert student.validation == 0.8


def test_ranked_by_validation_with_the_unfinished_last(store, task):
    card, (low, high, broken) = task
    rows = rows_of(store, card, low, (0, 0.7, "ok"), (1, 0.7, "ok"))
    rows |= rows_of(store, card, high, (0, 0.8, "ok"), (1, 0.8, "ok"))
    rows |= rows_of(store, card, broken, (0, 0.9, "ok"), (1, None, "diverged"))
    assert [student.choice for student in match(task[1], rows)] == [high, low, broken]


def test_of_equal_ones_the_smaller_is_first(store, task):
    card, choices = task
    rows = {}
    for choice in choices:
        rows |= rows_of(store, card, choice, (0, 0.7, "ok"), (1, 0.7, "ok"))
    params = [student.choice.params for student in match(choices, rows)]
    assert params == sorted(params)
