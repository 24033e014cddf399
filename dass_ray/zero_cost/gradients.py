"""Gradients of the cross-entropy on one batch, and of other scalars, in a network's weights.

Letters: B images, H and W their size, K classes.
"""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.models.network import StagedNetwork


def private(net: StagedNetwork) -> StagedNetwork:
    """A copy in eval mode that a score may change; its weights take gradients."""
    twin = copy.deepcopy(net).eval()
    for value in twin.parameters():
        value.requires_grad_()
    return twin


def weights(net: StagedNetwork) -> list[Tensor]:
    """The weights of convolutions and of the head: what zero-cost scores look at."""
    layers = (m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear))
    return [layer.weight for layer in layers]


def of_cross_entropy(
    net: StagedNetwork, images: Tensor, labels: Tensor, *, graph: bool = False
) -> list[Tensor]:
    """The gradient of the mean cross-entropy for each of `weights(net)`.

    images: normalised [B, 3, H, W]; labels: int64 [B]; graph: to differentiate it again.
    """
    loss = F.cross_entropy(net(images), labels)
    return list(torch.autograd.grad(loss, weights(net), create_graph=graph))


def total(parts: list[Tensor]) -> float:
    """The sum over all elements of all tensors."""
    return float(torch.stack([part.detach().double().sum() for part in parts]).sum())
