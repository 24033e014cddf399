import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.kd.losses.logits import loss

from ...make import few


def test_by_hand():
    """At T = 2 the teacher's probabilities are 1/4 and 3/4, the student's 1/3 and 2/3."""
    teacher = torch.tensor([[0.0, 2 * math.log(3)]])
    student = torch.tensor([[0.0, 2 * math.log(2)]])
    expected = 4 * (1 / 4 * math.log(3) + 3 / 4 * math.log(3 / 2))
    assert loss(student, teacher, 2.0).item() == pytest.approx(expected, rel=1e-6)


def plainly(student, teacher, t):
    """The formula, one image and class at a time."""
    total = 0.0
    for ours, theirs in zip(student.tolist(), teacher.tolist(), strict=True):
        p = [math.exp(z / t) / sum(math.exp(y / t) for y in theirs) for z in theirs]
        q = [math.exp(z / t) / sum(math.exp(y / t) for y in ours) for z in ours]
        total -= t**2 * sum(a * math.log(b) for a, b in zip(p, q, strict=True))
    return total / len(student)


@few
@given(st.integers(1, 5), st.integers(2, 6), st.floats(0.5, 10), st.integers(0, 999))
def test_equals_the_formula(batch, classes, temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = 2 * torch.randn(2, batch, classes, generator=generator)
    found = loss(student, teacher, temperature)
    assert found.ndim == 0
    assert found.item() == pytest.approx(plainly(student, teacher, temperature), rel=1e-4)


def test_the_teacher_itself_is_the_best_student():
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(4, 5, generator=generator)
    student = teacher.clone().requires_grad_()
    loss(student, teacher, 3.0).backward()
    assert student.grad.abs().max() < 1e-6
