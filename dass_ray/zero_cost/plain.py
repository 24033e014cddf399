"""Weight times gradient, summed with its sign.

Source: plain of Abdelfattah et al., "Zero-Cost Proxies for Lightweight NAS", ICLR 2021, after
Mozer and Smolensky, NIPS 1988.
"""

from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import of_cross_entropy, private, total, weights


def score(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W] and labels [B]."""
    twin = private(net)
    slopes = of_cross_entropy(twin, images, labels)
    return total([w * slope for w, slope in zip(weights(twin), slopes, strict=True)])
