"""Decoupled knowledge distillation: the true class against the rest, and the rest among itself.

Source: Zhao et al., "Decoupled Knowledge Distillation", CVPR 2022.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

OTHERS = 8.0  # beta of most of the paper's CIFAR-100 experiments; alpha, of the true class, is 1


def loss(ours: Tensor, theirs: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """T^2 (KL of (p_true, 1 - p_true) + 8 KL among the other classes), mean over the batch.

    Each KL is from the teacher's softened probabilities to the student's.
    ours, theirs: logits [B, K]; labels: int64 [B]; returns a scalar.
    """
    true = F.one_hot(labels, ours.shape[1]).bool()
    ours, theirs = ours / temperature, theirs / temperature
    target = _kl(_true_or_not(ours, true), _true_or_not(theirs, true))
    others = _kl(_others(ours, true), _others(theirs, true))
    return temperature**2 * (target + OTHERS * others)


def _true_or_not(logits: Tensor, true: Tensor) -> Tensor:
    """Log-probabilities [B, 2] of the true class and of all others together."""
    rest = logits.masked_fill(true, -torch.inf).logsumexp(dim=1)
    return F.log_softmax(torch.stack([logits[true], rest], dim=1), dim=1)


def _others(logits: Tensor, true: Tensor) -> Tensor:
    """Log-probabilities [B, K-1] of the other classes, among themselves."""
    return F.log_softmax(logits[~true].view(len(logits), -1), dim=1)


def _kl(ours: Tensor, theirs: Tensor) -> Tensor:
    return F.kl_div(ours, theirs, log_target=True, reduction="batchmean")
