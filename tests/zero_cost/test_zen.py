import copy
import math

import pytest
import torch
from torch import nn

from dass_ray.zero_cost import zen


@torch.no_grad()
def test_by_its_definition(case):
    """Batch norms of a network in train mode take the statistics of the batch."""
    generator = torch.Generator().manual_seed(0)
    x, e = (torch.randn(zen.BATCH, 3, 8, 8, generator=generator) for _ in range(2))
    net, spread = copy.deepcopy(case.net).train(), []
    moved = net.features(x + zen.STEP * e)

    def look(_module, inputs):
        channels = inputs[0].double().transpose(0, 1).flatten(1)
        spread.append(math.log(channels.var(dim=1).mean().sqrt()))

    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(look)
    moved = (net.features(x) - moved).double()
    expected = math.log(moved.abs().sum() / zen.BATCH) + sum(spread)
    found = zen.score(case.net, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-3)


def test_wider_weights_before_a_batch_norm_count_by_their_log(case):
    """Batch norm undoes the scale, so the features do not move more; the spread does."""
    before = zen.score(case.net, case.images, case.labels)
    with torch.no_grad():
        case.net.stem.weight.mul_(10)
    after = zen.score(case.net, case.images, case.labels)
    assert after - before == pytest.approx(math.log(10), abs=1e-2)


def test_noise_is_always_the_same(case):
    torch.manual_seed(5)
    state = torch.get_rng_state()
    x, more = zen.noise(case.images)
    assert torch.equal(torch.get_rng_state(), state)
    assert x.shape == more.shape == (zen.BATCH, *case.images.shape[1:])
    assert all(map(torch.equal, zen.noise(2 * case.images[:1]), (x, more)))
    assert (more - x).std().item() == pytest.approx(zen.STEP, rel=0.05)


def test_moved_by_hand():
    difference = torch.zeros(3, 2, 4, 5, 5)
    difference[1, 0, 2, 3, 3], difference[1, 1, 0, 0, 0] = -3.0, 1.0
    found = zen.moved(difference)
    assert found.shape == (3, 1)
    assert found[:, 0].tolist() == pytest.approx([math.log(1e-8), math.log(2), math.log(1e-8)])


def test_no_variance_has_a_finite_deviation():
    found = zen.deviation(torch.tensor([0.0, 4.0]))
    assert found.tolist() == pytest.approx([math.log(1e-8), math.log(2)])
