import copy
import math

import pytest
import torch
from torch import nn

from dass_ray.zero_cost import synflow


def flow(net, scale, images):
    """Of ones through weights made positive and scaled, without batch norms and biases."""
    twin = copy.deepcopy(net).double()
    for stage in [twin, *twin.modules()]:
        for name, child in stage.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(stage, name, nn.Identity())
    with torch.no_grad():
        for value in twin.parameters():
            value.copy_(scale * value.abs() if value.ndim > 1 else torch.zeros_like(value))
        return twin(torch.ones_like(images[:1]).double()).sum().item()


def test_is_the_slope_of_the_flow_as_all_weights_grow(case):
    step = 1e-5
    rise = flow(case.net, 1 + step, case.images) - flow(case.net, 1 - step, case.images)
    expected = math.log(rise / (2 * step))
    assert synflow.score(case.net, case.images, case.labels) == pytest.approx(expected, rel=1e-6)


def test_without_flow(case):
    nn.init.zeros_(case.net.head.weight)
    assert synflow.score(case.net, case.images, case.labels) == -math.inf
