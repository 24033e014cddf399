"""Norm of the loss's gradient, summed over layers.

Source: grad_norm of Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021.
"""

from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import of_cross_entropy, private, total


def score(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W] and labels [B]."""
    return total([slope.norm() for slope in of_cross_entropy(private(net), images, labels)])
