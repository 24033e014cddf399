import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.kd.losses import distillation
from dass_ray.recipe import KDRecipe

from ..make import KD, few


def recipe(alpha, temperature):
    return KDRecipe(**KD.model_dump() | {"alpha": alpha, "temperature": temperature})


def test_by_hand():
    """At T = 2 the teacher's probabilities are 1/4 and 3/4, the student's 1/3 and 2/3."""
    teacher = torch.tensor([[0.0, 2 * math.log(3)]])
    student = torch.tensor([[0.0, 2 * math.log(2)]])
    soft = 1 / 4 * math.log(3) + 3 / 4 * math.log(3 / 2)
    hard = math.log(5)  # at T = 1 our probabilities are 1/5 and 4/5, and the label is the first
    found = distillation(student, teacher, torch.tensor([0]), recipe(0.3, 2.0))
    assert found.item() == pytest.approx(0.7 * 4 * soft + 0.3 * hard, rel=1e-6)


def plainly(student, teacher, labels, alpha, t):
    """The formula, one image and class at a time."""
    total = 0.0
    lists = (values.tolist() for values in (student, teacher, labels))
    for ours, theirs, label in zip(*lists, strict=True):
        p = [math.exp(z / t) / sum(math.exp(y / t) for y in theirs) for z in theirs]
        q = [math.exp(z / t) / sum(math.exp(y / t) for y in ours) for z in ours]
        hard = math.exp(ours[label]) / sum(math.exp(y) for y in ours)
        soft = -sum(a * math.log(b) for a, b in zip(p, q, strict=True))
        total += (1 - alpha) * t**2 * soft - alpha * math.log(hard)
    return total / len(student)


@few
@given(
    st.integers(1, 5), st.integers(2, 6), st.floats(0, 1), st.floats(0.5, 10), st.integers(0, 999)
)
def test_equals_the_formula(batch, classes, alpha, temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    student, teacher = 2 * torch.randn(2, batch, classes, generator=generator)
    labels = torch.randint(classes, (batch,), generator=generator)
    found = distillation(student, teacher, labels, recipe(alpha, temperature))
    assert found.ndim == 0
    expected = plainly(student, teacher, labels, alpha, temperature)
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_ends_of_alpha():
    generator = torch.Generator().manual_seed(0)
    student, teacher, other = torch.randn(3, 4, 5, generator=generator)
    labels = torch.tensor([0, 1, 2, 3])
    hard = distillation(student, teacher, labels, recipe(1, 6))
    assert hard.item() == pytest.approx(F.cross_entropy(student, labels).item())
    assert hard.item() == distillation(student, other, labels, recipe(1, 6)).item()
    soft = distillation(student, teacher, labels, recipe(0, 6))
    assert soft.item() == distillation(student, teacher, labels.flip(0), recipe(0, 6)).item()


def test_the_teacher_itself_is_the_best_student():
    generator = torch.Generator().manual_seed(0)
    teacher = torch.randn(4, 5, generator=generator)
    student = teacher.clone().requires_grad_()
    distillation(student, teacher, torch.zeros(4, dtype=torch.long), recipe(0, 3)).backward()
    assert student.grad.abs().max() < 1e-6
