import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.kd.losses.dist import loss

from ...make import few
from .make import normal, softmax


def test_by_hand():
    """The student's rows are the teacher's in opposite order: all correlations are -1."""
    teacher = torch.tensor([[0.75, 0.25], [0.25, 0.75]]).log()
    assert loss(teacher.flip(1), teacher, 1.0).item() == pytest.approx(4, rel=1e-5)
    assert loss(3 * teacher, teacher, 1.0).item() == pytest.approx(0, abs=1e-5)


@few
@given(st.integers(3, 6), st.integers(3, 6), st.floats(0.5, 10), st.integers(0, 999))
def test_equals_the_formula(batch, classes, temperature, seed):
    student, teacher = 2 * normal(2, batch, classes, seed=seed)
    q, p = (softmax(x.double().numpy() / temperature) for x in (student, teacher))
    rows = [np.corrcoef(a, b)[0, 1] for a, b in zip(q, p, strict=True)]
    columns = [np.corrcoef(a, b)[0, 1] for a, b in zip(q.T, p.T, strict=True)]
    expected = temperature**2 * (2 - np.mean(rows) - np.mean(columns))
    assert loss(student, teacher, temperature).item() == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_a_student_of_one_answer_gives_finite_gradients():
    student = torch.zeros(4, 3, requires_grad=True)
    loss(student, normal(4, 3), 1.0).backward()
    assert student.grad.isfinite().all()
