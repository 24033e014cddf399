import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.kd.losses import logits
from dass_ray.kd.losses.decoupled import loss

from ...make import few
from .make import normal, softmax


def test_by_hand():
    """T = 1; the teacher has 1/2, 1/4, 1/4, the student 1/4, 1/4, 1/2; the first class is true."""
    teacher = torch.tensor([[0.5, 0.25, 0.25]]).log()
    student = torch.tensor([[0.25, 0.25, 0.5]]).log()
    true = 1 / 2 * math.log(2) + 1 / 2 * math.log(2 / 3)  # 1/2, 1/2 and 1/4, 3/4
    others = 1 / 2 * math.log(3 / 2) + 1 / 2 * math.log(3 / 4)  # 1/2, 1/2 and 1/3, 2/3
    found = loss(student, teacher, torch.tensor([0]), 1.0)
    assert found.item() == pytest.approx(true + 8 * others, rel=1e-5)


def plainly(student, teacher, labels, t):
    total = 0.0
    q, p = softmax(student / t), softmax(teacher / t)
    for i, true in enumerate(labels):
        binary_p, binary_q = [p[i, true], 1 - p[i, true]], [q[i, true], 1 - q[i, true]]
        others_p, others_q = (np.delete(x[i], true) / (1 - x[i, true]) for x in (p, q))
        total += np.sum(binary_p * np.log(np.divide(binary_p, binary_q)))
        total += 8 * np.sum(others_p * np.log(others_p / others_q))
    return t**2 * total / len(labels)


@few
@given(st.integers(1, 5), st.integers(2, 6), st.floats(0.5, 10), st.integers(0, 999))
def test_equals_the_formula(batch, classes, temperature, seed):
    student, teacher = 2 * normal(2, batch, classes, seed=seed)
    labels = torch.arange(batch) % classes
    found = loss(student, teacher, labels, temperature)
    arrays = (x.double().numpy() for x in (student, teacher))
    expected = plainly(*arrays, labels.numpy(), temperature)
    assert found.item() == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_its_parts_are_those_of_hintons_loss():
    """KL(p, q) = KL(true or not) + (1 - p_true) KL(others), as the paper shows."""
    student, teacher = normal(2, 1, 5)
    labels = torch.tensor([2])
    rest = torch.tensor([0, 1, 3, 4])
    entropy = logits.loss(teacher, teacher, 1.0)
    whole = logits.loss(student, teacher, 1.0) - entropy
    among = logits.loss(student[:, rest], teacher[:, rest], 1.0)
    among -= logits.loss(teacher[:, rest], teacher[:, rest], 1.0)
    true = whole - (1 - teacher.softmax(dim=1)[0, 2]) * among
    assert loss(student, teacher, labels, 1.0).item() == pytest.approx(
        (true + 8 * among).item(), rel=1e-4
    )


def test_a_certain_teacher_gives_finite_gradients():
    teacher = torch.tensor([[200.0, 0.0, -200.0]])
    student = torch.tensor([[-200.0, 0.0, 200.0]], requires_grad=True)
    loss(student, teacher, torch.tensor([0]), 1.0).backward()
    assert student.grad.isfinite().all()
