"""Signals: what a remapped, untrained student does with real training images of its task.

In what is compared with labels and teacher, batch norms take the statistics of the batch at hand,
since those of the teacher are wrong for a student that lacks channels and blocks: in effect they
are estimated anew. Zero-cost scores are taken as their sources say.
Letters: N students, B images, C channels, K classes, G signals.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from dass_ray.config import Signal
from dass_ray.models.batch_norm import of_the_batch
from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet
from dass_ray.space import Spec
from dass_ray.zero_cost import nwot, zen

RIDGE = 0.1  # the readout's penalty, as a share of the features' mean square
SCORED = 32  # images that zero-cost scores look at
SHARPNESS = 5.0  # of the softmax over the readout's outputs, which lie between 0 and 1


@dataclass(frozen=True)
class _Seen:
    """Of one network: each stage's features [B, C], logits [B, K]; and the true labels [B]."""

    stages: tuple[Tensor, ...]
    logits: Tensor
    labels: Tensor


def ridge(student: _Seen, _teacher: _Seen) -> Tensor:
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


def accuracy(student: _Seen, _teacher: _Seen) -> Tensor:
    """Accuracy of the student with the teacher's head, in [0, 1]."""
    return (student.logits.argmax(dim=1) == student.labels).double().mean()


def kl(student: _Seen, teacher: _Seen) -> Tensor:
    """Minus the log of the mean KL divergence from the teacher's to the student's classes."""
    ours, theirs = F.log_softmax(student.logits, dim=1), F.log_softmax(teacher.logits, dim=1)
    return -F.kl_div(ours, theirs, log_target=True, reduction="batchmean").clamp_min(1e-6).log()


def similarity(student: _Seen, teacher: _Seen) -> Tensor:
    """Linear CKA of the student's and the teacher's last features, in [0, 1]."""
    return cka(student.stages[-1], teacher.stages[-1])


def early_similarity(student: _Seen, teacher: _Seen) -> Tensor:
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


def rank(student: _Seen, _teacher: _Seen) -> Tensor:
    """Log of the effective rank of the last features: the entropy of their normalised spectrum.

    Source: Roy and Vetterli, EUSIPCO 2007, on the covariance.
    """
    x = student.stages[-1].double()
    x = x - x.mean(dim=0)
    power = torch.linalg.eigvalsh(x.T @ x).clamp_min(0)
    entropy: Tensor = torch.special.entr(power / power.sum().clamp_min(1e-12)).sum()
    return entropy


COMPARED: dict[Signal, Callable[[_Seen, _Seen], Tensor]] = {
    "ridge": ridge, "accuracy": accuracy, "kl": kl, "similarity": similarity,
    "early_similarity": early_similarity, "rank": rank,
}  # fmt: skip
ZERO_COST: dict[Signal, Callable[[ResNet, Tensor, Tensor], float]] = {
    "zen": zen.score, "nwot": nwot.score,
}  # fmt: skip
assert (*COMPARED, *ZERO_COST) == get_args(Signal)


@torch.no_grad()
def signals(
    teacher: ResNet, specs: Sequence[Spec], images: Tensor, labels: Tensor, names: Sequence[Signal]
) -> Tensor:
    """Signals [N, G] of students, float32 on the host.

    images: normalised [B, 3, H, W] on the teacher's device; labels: int64 [B] there.
    """
    theirs = _see(teacher.eval(), images, labels)
    some = images[:SCORED], labels[:SCORED]
    out = torch.empty(len(specs), len(names), dtype=torch.float64)
    for i, spec in enumerate(specs):
        with images.device:
            net = ResNet(teacher.space, spec, teacher.classes)
        remap(teacher, net).eval()
        found = {name: ZERO_COST[name](net, *some) for name in names if name in ZERO_COST}
        if len(found) < len(names):
            ours = _see(of_the_batch(net), images, labels)
            rest = (name for name in names if name in COMPARED)
            found |= {name: float(COMPARED[name](ours, theirs)) for name in rest}
        out[i] = torch.tensor([found[name] for name in names], dtype=torch.float64)
    return out.float()


def _see(net: ResNet, images: Tensor, labels: Tensor) -> _Seen:
    x, stages = F.relu(net.bn(net.stem(images))), []
    for stage in net.stages:
        for block in stage:  # type: ignore[attr-defined] # a ModuleList is iterable
            x = block(x)
        stages.append(x.mean(dim=(2, 3)))
    return _Seen(tuple(stages), net.head(stages[-1]), labels)
