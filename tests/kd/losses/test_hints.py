import numpy as np
import pytest
import torch

from dass_ray.kd.losses.hints import loss, regressor

from .make import normal

PAIR = (normal(2, 3, 4, 4), normal(2, 5, 4, 4, seed=1))


def test_equals_the_formula():
    net = regressor(PAIR, 0)
    weight, bias = (p.detach().double().numpy() for p in net.parameters())
    ours, theirs = (x.double().numpy() for x in PAIR)
    told = np.einsum("tc,bchw->bthw", weight[:, :, 0, 0], ours) + bias[:, None, None]
    expected = ((told - theirs) ** 2).sum() / 2 / theirs.size
    assert loss(PAIR, net).item() == pytest.approx(expected, rel=1e-5)


def test_the_regressor_depends_on_the_seed_alone():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, other = regressor(PAIR, 3), regressor(PAIR, 4)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert torch.equal(regressor(PAIR, 3).weight, first.weight)
    assert not torch.equal(other.weight, first.weight)
