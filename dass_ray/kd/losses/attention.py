"""Attention transfer: the student shall look where the teacher looks.

Source: Zagoruyko & Komodakis, "Paying More Attention to Attention", ICLR 2017, activation-based,
with the squared distance of the authors' code.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from dass_ray.kd.losses.stages import Pair


def loss(pairs: Sequence[Pair]) -> Tensor:
    """Squared distance of the attention maps, mean over the batch, summed over the pairs.

    pairs: maps of the student and of the teacher, [B, C, H, W] with one H and W; returns a scalar.
    """
    apart = [(_attention(a) - _attention(b)).square().sum(dim=1).mean() for a, b in pairs]
    return torch.stack(apart).sum()


def _attention(features: Tensor) -> Tensor:
    """[B, H W]: the mean square over the channels at each place, as a vector of length 1."""
    return F.normalize(features.square().mean(dim=1).flatten(1), dim=1)
