"""Outer losses of outputs and targets. Letters: M members, T tasks, N students."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

Ranking = Literal["none", "pairwise", "listwise"]


def outer_loss(out: Tensor, targets: Tensor, ranking: Ranking, weight: float) -> Tensor:
    """Squared error, and `weight` times a ranking loss: [M, T, N], [T, N] -> [M, T]."""
    squared = (out - targets).square().mean(dim=-1)
    match ranking:
        case "none":
            return squared
        case "pairwise":
            return squared + weight * pairwise(out, targets)
        case "listwise":
            return squared + weight * listwise(out, targets)


def pairwise(out: Tensor, targets: Tensor) -> Tensor:
    """Logistic loss of all pairs, each weighted by how far apart its targets are.

    [M, T, N], [T, N] -> [M, T]; 0 where all targets are equal. Source: RankNet (Burges et al.,
    ICML 2005); the weights because close pairs are mostly noise.
    """
    apart = targets[..., :, None] - targets[..., None, :]
    better = apart.clamp_min(0)
    loss = F.softplus(out[..., None, :] - out[..., :, None]) * better
    return loss.sum(dim=(-2, -1)) / better.sum(dim=(-2, -1)).clamp_min(1e-6)


def listwise(out: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy of the two softmaxes over students: [M, T, N], [T, N] -> [M, T].

    Source: ListNet (Cao et al., ICML 2007), top-one probabilities.
    """
    return -(torch.softmax(targets, dim=-1) * torch.log_softmax(out, dim=-1)).sum(dim=-1)
