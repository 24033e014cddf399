"""Fisher information of the channels: (activation times its gradient, over positions) squared.

Source: Turner et al., "BlockSwap", ICLR 2020, as a score for networks in Abdelfattah et al., ICLR
2021. Activations are those after each batch norm, halved and averaged over images as there.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.activations import after_batch_norms
from dass_ray.zero_cost.gradients import private, total


def score(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W] and labels [B]."""
    logits, maps = after_batch_norms(private(net), images)
    slopes = torch.autograd.grad(F.cross_entropy(logits, labels), maps)
    channels = [(m * s).sum(dim=(2, 3)) for m, s in zip(maps, slopes, strict=True)]  # [B, C]
    return total([channel.square().mean(dim=0) / 2 for channel in channels])
