import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.kd.losses.relational import loss

from ...make import few
from .make import huber, normal


def test_by_hand():
    """Images at 0, 1 and 3 on a line, which the teacher has at 0, 2 and 3.

    Distances over their mean of 2: 1/2, 1, 3/2 and 1, 1/2, 3/2, so that of 9 two pairs differ by
    1/2. The angles at each image are the same.
    """
    ours, theirs = torch.tensor([[0.0], [1.0], [3.0]]), torch.tensor([[0.0], [2.0], [3.0]])
    assert loss(ours, theirs).item() == pytest.approx(4 * (1 / 2) ** 2 / 2 / 9, rel=1e-5)


def distances(x):
    apart = np.linalg.norm(x[:, None] - x[None], axis=2)
    return apart / apart[apart > 0].mean()


def angles(x):
    """By image j, i and k, with loops; directions to an image itself are 0."""
    n = len(x)
    out = np.zeros((n, n, n))
    for j in range(n):
        for i in range(n):
            for k in range(n):
                a, b = x[i] - x[j], x[k] - x[j]
                if i != j != k:
                    out[j, i, k] = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    return out


@few
@given(st.integers(2, 5), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_equals_the_formula(batch, width, teachers, seed):
    ours, theirs = normal(batch, width, seed=seed), 3 * normal(batch, teachers, seed=seed + 1)
    a, b = ours.double().numpy(), theirs.double().numpy()
    expected = huber(distances(a) - distances(b)) + 2 * huber(angles(a) - angles(b))
    assert loss(ours, theirs).item() == pytest.approx(expected, rel=1e-3, abs=1e-5)


def test_scale_place_and_rotation_do_not_matter():
    theirs = normal(6, 3)
    turn = torch.linalg.qr(normal(3, 3, seed=1))[0]
    assert loss(4 * theirs @ turn + 2, theirs).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("alike", [2, 4])
def test_equal_embeddings_give_finite_gradients(alike):
    ours = torch.cat([torch.ones(alike, 3), normal(4 - alike, 3)]).requires_grad_()
    loss(ours, normal(4, 3, seed=1)).backward()
    assert ours.grad.isfinite().all()
