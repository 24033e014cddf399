"""Relational knowledge distillation: distances and angles among the images of a batch.

Source: Park et al., "Relational Knowledge Distillation", CVPR 2019 (RKD-DA).
"""

import torch
import torch.nn.functional as F
from torch import Tensor

ANGLES = 2.0  # weight beside that of the distances, as the paper's 50 beside 25


def loss(ours: Tensor, theirs: Tensor) -> Tensor:
    """Huber loss of relative distances + 2 times that of the cosines of angles.

    ours, theirs: embeddings [B, C], C may differ; returns a scalar. Takes B^2 C and B^3 numbers.
    """
    distances = F.smooth_l1_loss(_distances(ours), _distances(theirs))
    angles = F.smooth_l1_loss(_angles(ours), _angles(theirs))
    return distances + ANGLES * angles


def _distances(x: Tensor) -> Tensor:
    """[B, B]: over the mean distance of two different images."""
    n = len(x)
    apart = torch.cdist(x, x, compute_mode="donot_use_mm_for_euclid_dist")
    mean = apart.sum() / (n * (n - 1))
    return apart / mean.clamp_min(1e-12)


def _angles(x: Tensor) -> Tensor:
    """[B, B, B]: at image j, the cosine between the directions to images i and k."""
    towards = F.normalize(x[None] - x[:, None], dim=2)  # [j, i, C]
    return towards @ towards.transpose(1, 2)
