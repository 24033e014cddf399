"""What a comparison does with students whose distillation went wrong."""

from types import SimpleNamespace

import pytest

from dass_ray.contest.run import KD, _Contest
from dass_ray.errors import UserError
from dass_ray.limits import Limits
from dass_ray.space import Spec

from ..make import Memory
from ..report import make


@pytest.fixture
def contest(monkeypatch):
    """A contest whose runs are in the store, the second student's a failed one."""
    found = object.__new__(_Contest)
    found.store, found.config = Memory(), SimpleNamespace(limits=Limits())
    found.card = make.card(found.store)
    found.students = make.choose(found.store, found.card, ("top", "top"), (0.9, 0.8))
    for student, status in zip(found.students, ("ok", "failed"), strict=True):
        make.distil(found.store, found.card, student, validation=0.75, test=0.7, status=status)
    monkeypatch.setattr(found, "_distil", lambda _specs: None, raising=False)
    return found


def test_a_student_that_fails_reaches_nothing(contest):
    """An error would end each later call too, since the search by KD would propose it again."""
    good, bad = (Spec.parse(student.spec) for student in contest.students)
    assert contest._reached(good) == 0.75
    assert contest._reached(bad) == 0


def test_it_is_left_out_of_the_entry(contest):
    good, bad = (student.spec for student in contest.students)
    assert contest._entry(KD, [good, bad], 1.0).validation == (0.75,)
    message = "of 1 students that 'search by KD' chose, none could be distilled"
    with pytest.raises(UserError, match=message):
        contest._entry(KD, [bad], 1.0)
