import numpy as np
import pytest
import torch

from dass_ray.kd.losses.attention import loss

from .make import normal


def test_by_hand():
    """One image of two places: attention (1, 0) and (3/5, 4/5)."""
    ours = torch.tensor([1.0, 0.0]).view(1, 1, 1, 2)
    theirs = torch.tensor([3.0, 4.0]).sqrt().view(1, 1, 1, 2)
    assert loss([(ours, theirs)]).item() == pytest.approx(0.4**2 + 0.8**2, rel=1e-6)


def test_equals_the_formula():
    both = [(normal(3, 4, 5, 5), normal(3, 7, 5, 5)), (normal(3, 2, 2, 3), normal(3, 1, 2, 3))]
    expected = 0.0
    for pair in both:
        a, b = ((x.double().numpy() ** 2).mean(axis=1).reshape(3, -1) for x in pair)
        a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
        expected += ((a - b) ** 2).sum() / 3
    assert loss(both).item() == pytest.approx(expected, rel=1e-5)


def test_the_strength_of_a_map_does_not_matter():
    ours, theirs = normal(2, 3, 4, 4), normal(2, 5, 4, 4, seed=1)
    assert loss([(5 * ours, theirs)]).item() == pytest.approx(loss([(ours, theirs)]).item())
    assert loss([(ours, 2 * ours)]).item() == pytest.approx(0, abs=1e-6)


def test_a_dead_map_gives_finite_gradients():
    ours = torch.zeros(2, 3, 4, 4, requires_grad=True)
    loss([(ours, normal(2, 3, 4, 4))]).backward()
    assert ours.grad.isfinite().all()
