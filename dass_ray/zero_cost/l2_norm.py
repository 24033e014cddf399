"""Norm of the weights, summed over layers; it looks at no image.

Source: l2_norm of Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021.
"""

from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import total, weights


def score(net: StagedNetwork, _images: Tensor, _labels: Tensor) -> float:
    """Of the weights alone."""
    return total([weight.norm() for weight in weights(net)])
