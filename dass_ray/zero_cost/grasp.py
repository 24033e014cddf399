"""Minus weight times (Hessian times gradient), summed: whether the gradient flow would grow.

Source: Wang, Zhang and Grosse, "GraSP", ICLR 2020, as a score for networks in Abdelfattah et al.,
ICLR 2021. One batch serves both derivatives.
"""

import torch
from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import of_cross_entropy, private, total, weights


def score(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W] and labels [B]."""
    twin = private(net)
    slopes = of_cross_entropy(twin, images, labels, graph=True)
    half_square = torch.stack([slope.square().sum() for slope in slopes]).sum() / 2
    products = torch.autograd.grad(half_square, weights(twin))  # the Hessian times the gradient
    return total([-w * product for w, product in zip(weights(twin), products, strict=True)])
