"""Comparisons of a remapped, untrained student with labels and with its teacher.

Letters: B images, C channels, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

RIDGE = 0.1  # the readout's penalty, as a share of the features' mean square
SHARPNESS = 5.0  # of the softmax over the readout's outputs, which lie between 0 and 1

Compared = Literal["ridge", "accuracy", "kl", "similarity", "early_similarity", "rank"]


@dataclass(frozen=True)
class Seen:
    """Of one network: the last two stages' features [B, C], logits [B, K]; true labels [B]."""

    stages: tuple[Tensor, ...]
    logits: Tensor
    labels: Tensor


def ridge(student: Seen, _teacher: Seen) -> Tensor:
    """Minus the cross-entropy of a ridge regression from the last features to the labels.

    Each image is judged by the regression without it, in closed form. Source: leave-one-out
    residuals, Hastie, Tibshirani and Friedman, 2009, section 7.10.
    """
    x = student.stages[-1].double()
    x = x - x.mean(dim=0)
    x = torch.cat([x / x.square().mean().sqrt().clamp_min(1e-6), torch.ones_like(x[:, :1])], dim=1)
    y = F.one_hot(student.labels, student.logits.shape[1]).double()
    penalty = RIDGE * len(x) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    hat = torch.linalg.solve(x.T @ x + penalty, x.T)
    leverage = (x * hat.T).sum(dim=1, keepdim=True)
    left_out = (x @ (hat @ y) - leverage * y) / (1 - leverage)
    return -F.cross_entropy(SHARPNESS * left_out, student.labels)


def accuracy(student: Seen, _teacher: Seen) -> Tensor:
    """Accuracy of the student with the teacher's head, in [0, 1]."""
    return (student.logits.argmax(dim=1) == student.labels).double().mean()


def kl(student: Seen, teacher: Seen) -> Tensor:
    """Minus the log of the mean KL divergence from the teacher's to the student's classes."""
    ours, theirs = F.log_softmax(student.logits, dim=1), F.log_softmax(teacher.logits, dim=1)
    return -F.kl_div(ours, theirs, log_target=True, reduction="batchmean").clamp_min(1e-6).log()


def similarity(student: Seen, teacher: Seen) -> Tensor:
    """Linear CKA of the student's and the teacher's last features, in [0, 1]."""
    return cka(student.stages[-1], teacher.stages[-1])


def early_similarity(student: Seen, teacher: Seen) -> Tensor:
    """Linear CKA of the features one stage earlier, in [0, 1]."""
    return cka(student.stages[-2:][0], teacher.stages[-2:][0])


def cka(a: Tensor, b: Tensor) -> Tensor:
    """Linear centred kernel alignment of features [B, C] and [B, C'], in [0, 1].

    Source: Kornblith et al., ICML 2019.
    """
    a, b = (x.double() - x.double().mean(dim=0) for x in (a, b))
    scale = (a.T @ a).norm() * (b.T @ b).norm()
    found: Tensor = (a.T @ b).square().sum() / scale.clamp_min(1e-12)
    return found


def rank(student: Seen, _teacher: Seen) -> Tensor:
    """Log of the effective rank of the last features: the entropy of their normalised spectrum.

    Source: Roy and Vetterli, EUSIPCO 2007, on the covariance.
    """
    x = student.stages[-1].double()
    x = x - x.mean(dim=0)
    power = torch.linalg.eigvalsh(x.T @ x).clamp_min(0)
    entropy: Tensor = torch.special.entr(power / power.sum().clamp_min(1e-12)).sum()
    return entropy


COMPARED: dict[Compared, Callable[[Seen, Seen], Tensor]] = {
    "ridge": ridge, "accuracy": accuracy, "kl": kl, "similarity": similarity,
    "early_similarity": early_similarity, "rank": rank,
}  # fmt: skip
assert tuple(COMPARED) == get_args(Compared)
