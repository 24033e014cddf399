"""Size of weight times gradient, summed.

Source: Lee, Ajanthan and Torr, "SNIP", ICLR 2019, as a score for networks in Abdelfattah et al.,
ICLR 2021.
"""

from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import of_cross_entropy, private, total, weights


def score(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W] and labels [B]."""
    twin = private(net)
    slopes = of_cross_entropy(twin, images, labels)
    return total([(w * slope).abs() for w, slope in zip(weights(twin), slopes, strict=True)])
