"""Log of the flow of ones through the network of absolute weights: sum of weight times gradient.

Source: Tanaka et al., "Pruning neural networks without any data", NeurIPS 2020, as a score for
networks in Abdelfattah et al., ICLR 2021: batch norms are left out, doubles against overflow.
"""

import math

import torch
from torch import Tensor, nn

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import private, total, weights


def score(net: StagedNetwork, images: Tensor, _labels: Tensor) -> float:
    """Of the shape of images [B, 3, H, W]; -inf for a flow of zero."""
    twin = private(net).double()
    with torch.no_grad():
        for weight in weights(twin):
            weight.abs_()
        twin.head.bias.zero_()
    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.forward = nn.Identity().forward  # type: ignore[method-assign]
    flow = twin(torch.ones_like(images[:1], dtype=torch.float64)).sum()
    slopes = torch.autograd.grad(flow, weights(twin))
    value = total([w * slope for w, slope in zip(weights(twin), slopes, strict=True)])
    return math.log(value) if value > 0 else -math.inf
