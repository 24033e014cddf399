"""Accuracy of the remapped student before any training, on training images.

Source: the obvious thing to try; as the teacher left the batch norms, or with those of the batch.
"""

import torch
from torch import Tensor

from dass_ray.models.batch_norm import of_the_batch
from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import private


def score(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W] and labels [B], in [0, 1]."""
    return _right(private(net), images, labels)


def with_batch_norms_of_the_batch(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """The same where batch norms take the statistics of these images."""
    return _right(of_the_batch(private(net)), images, labels)


@torch.no_grad()
def _right(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    return float((net(images).argmax(dim=1) == labels).double().mean())
