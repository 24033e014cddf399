"""DIST: the student's probabilities shall correlate with the teacher's, not equal them.

Source: Huang et al., "Knowledge Distillation from A Stronger Teacher", NeurIPS 2022.
"""

import torch.nn.functional as F
from torch import Tensor


def loss(ours: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """T^2 ((1 - mean correlation of rows) + (1 - mean correlation of columns)).

    Of the softened probabilities: a row is one image's classes (the paper's inter-class relation),
    a column one class's images (intra-class); both weights, beta and gamma, are 1.
    ours, theirs: logits [B, K]; returns a scalar.
    """
    ours, theirs = F.softmax(ours / temperature, dim=1), F.softmax(theirs / temperature, dim=1)
    apart = _apart(ours, theirs) + _apart(ours.T, theirs.T)
    return temperature**2 * apart


def _apart(ours: Tensor, theirs: Tensor) -> Tensor:
    """1 - Pearson's correlation of the rows of [N, M], mean over them."""
    ours, theirs = (rows - rows.mean(dim=1, keepdim=True) for rows in (ours, theirs))
    return 1 - F.cosine_similarity(ours, theirs, dim=1).mean()
