"""The predictor's network, and an ensemble of them adapted to a task by its teacher.

Letters: M ensemble members, N students, C channels, F the spec vector's length.
Source: Lee et al., ICLR 2023: encoders of the student's map (S), the teacher's map (T) and the
architecture vector (A), a head, and teacher-guided adaptation: one gradient step on the teacher
itself with a learned step size for every parameter (as in Meta-SGD, Li et al., 2017).
Here the network predicts how far a student's log-odds of being right are from the teacher's, in
units of `scale`: easy and hard tasks look alike, and no prediction leaves 0 to 1.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from dass_ray.predictor.encode import Students, Task

Params = dict[str, Tensor]
"""Tensors by parameter name; with a leading dimension M for an ensemble."""


def log_odds(accuracy: Tensor) -> Tensor:
    """log(a / (1 - a)) of accuracies in [0, 1], which are taken as 0.001 to 0.999."""
    return torch.logit(accuracy, eps=1e-3)


class MapEncoder(nn.Module):
    """[N, C, H, W] -> [N, C]: two strided convolutions and a global mean."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = max(1, channels // 2)
        self.conv1 = nn.Conv2d(channels, half, 3, 2, 1)
        self.conv2 = nn.Conv2d(half, channels, 3, 2, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Encodes activation maps."""
        return F.relu(self.conv2(F.relu(self.conv1(maps)))).mean(dim=(2, 3))


class Network(nn.Module):
    """One member: predicts N students of one task."""

    def __init__(self, channels: int, vector: int, hidden: int) -> None:
        super().__init__()
        self.student = MapEncoder(channels)
        self.teacher = MapEncoder(channels)
        self.architecture = nn.Linear(vector, hidden)
        self.mix = nn.Linear(2 * channels + hidden, hidden)
        self.out = nn.Linear(hidden, 1)

    def forward(self, maps: Tensor, vectors: Tensor, teacher: Tensor) -> Tensor:
        """maps [N, C, H, W], vectors [N, F], the teacher's map [1, C, H, W] -> [N]."""
        s = self.student(maps)
        t = self.teacher(teacher).expand(len(s), -1)
        a = self.architecture(vectors)
        out: Tensor = self.out(torch.tanh(self.mix(torch.cat([s, t, a], dim=1))))
        return out[:, 0]


def adapt(net: Network, params: Params, rates: Params, teacher: Students) -> Params:
    """One member after its inner step on the teacher, whose difference to itself is zero."""

    def loss(inner: Params) -> Tensor:
        inputs = (teacher.maps, teacher.vectors, teacher.maps)
        out: Tensor = functional_call(net, inner, inputs)
        return out.square().mean()

    slopes = grad(loss)(params)
    return {name: params[name] - rates[name] * slopes[name] for name in params}


@dataclass(frozen=True)
class Scores:
    """Predicted accuracy after distillation: float32 [N] on the host; std over the members."""

    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class Predictor:
    """A meta-trained ensemble: parameters and step sizes [M, ...], and the unit of its output."""

    net: Network
    params: Params
    rates: Params
    scale: float  # log-odds that one unit of output means

    def adapted(self, task: Task) -> "Adapted":
        """The ensemble after one inner step on the task's teacher."""
        teacher = task.teacher

        def one(params: Params, rates: Params) -> Params:
            return adapt(self.net, params, rates, teacher)

        return Adapted(self.net, vmap(one)(self.params, self.rates), self.scale, task)


@dataclass(frozen=True)
class Adapted:
    """An ensemble that is ready to score students of one task."""

    net: Network
    params: Params
    scale: float
    task: Task

    @torch.no_grad()
    def score(self, students: Students) -> Scores:
        """Predicted accuracies of N students, each in (0, 1)."""

        def one(params: Params) -> Tensor:
            inputs = (students.maps, students.vectors, self.task.teacher.maps)
            out: Tensor = functional_call(self.net, params, inputs)
            return out

        out = vmap(one)(self.params)
        teacher = log_odds(torch.tensor(self.task.accuracy))
        accuracy = torch.sigmoid(teacher + self.scale * out)
        return Scores(accuracy.mean(dim=0), accuracy.std(dim=0, correction=0))
