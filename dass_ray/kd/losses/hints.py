"""Hints: the student's middle map shall tell the teacher's, through a regressor.

Source: Romero et al., "FitNets: Hints for Thin Deep Nets", ICLR 2015. The regressor is trained
along with the student, instead of in a stage of its own before, and is no part of the student.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.kd.losses.stages import Pair


def regressor(pair: Pair, seed: int) -> nn.Conv2d:
    """A fresh 1x1 convolution from the student's channels to the teacher's, on their device.

    pair: maps [B, C, H, W] of both; global random state stays untouched.
    """
    ours, theirs = pair
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Conv2d(ours.shape[1], theirs.shape[1], 1).to(ours.device)


def loss(pair: Pair, regressor: nn.Module) -> Tensor:
    """Half of the squared difference, mean over images, channels and places; returns a scalar."""
    ours, theirs = pair
    return F.mse_loss(regressor(ours), theirs) / 2
