"""How the correlations of images' Jacobians within a class differ from class to class.

Source: Lopes, Alirezazadeh and Alexandre, "EPE-NAS", ICANN 2021: per class the sum of
log(|correlation| + k), k = 1e-5, of its images; with up to 100 classes the absolute class sums are
added, with more their pairwise differences are averaged.
"""

import torch
from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.jacov import K, correlation, jacobians

MANY = 100  # classes


def score(net: StagedNetwork, images: Tensor, labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W] and labels [B]; classes with one image say nothing."""
    rows = jacobians(net, images).double()
    classes, counts = labels.unique(return_counts=True)
    sums = [
        (correlation(rows[labels == label]).abs() + K).log().sum() for label in classes[counts > 1]
    ]
    if not sums:
        return 0.0
    each = torch.stack(sums)
    if len(classes) <= MANY:
        return float(each.abs().sum())
    return float((each[:, None] - each[None]).abs().triu(1).sum() / len(each))
