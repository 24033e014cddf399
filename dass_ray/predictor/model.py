"""A meta-trained ensemble, and the same ensemble adapted to a task.

The network predicts a student's log-odds of being right, less the teacher's, in units of `scale`
and counted from `offset`: easy and hard tasks look alike, and no prediction leaves 0 to 1.
Letters: M ensemble members, N students.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from dass_ray.predictor.adapt import Order, Support, adapt, spread
from dass_ray.predictor.encode import Students, Task
from dass_ray.predictor.layers import Params
from dass_ray.predictor.network import Batch, Network, Tasks
from dass_ray.predictor.residuals import Residuals
from dass_ray.space import Space

CHUNK = 512  # students in one pass
Learning = Literal["residuals", "gradient"]
"""From verified students: in closed form (residuals.py), or by the inner steps."""


def log_odds(accuracy: Tensor) -> Tensor:
    """log(a / (1 - a)) of accuracies in [0, 1], which are taken as 0.001 to 0.999."""
    return torch.logit(accuracy, eps=1e-3)


@dataclass(frozen=True)
class Units:
    """What the network's outputs mean on any task."""

    scale: float  # log-odds of one unit
    offset: float  # output for the teacher itself

    def targets(self, accuracy: Tensor, teacher: float) -> Tensor:
        """Outputs that accuracies in [0, 1] ask for, the teacher's being known."""
        apart = log_odds(accuracy) - log_odds(torch.tensor(teacher, dtype=accuracy.dtype))
        return apart / self.scale + self.offset

    def accuracy(self, out: Tensor, teacher: float) -> Tensor:
        """Accuracies in (0, 1) that outputs mean."""
        reference = log_odds(torch.tensor(teacher, dtype=out.dtype))
        return torch.sigmoid(reference + self.scale * (out - self.offset))


@dataclass(frozen=True)
class Intervals:
    """Conformal half widths: of level -> multiple of (std + floor); see calibrate.py."""

    floor: float
    factors: Mapping[float, float]


@dataclass(frozen=True)
class Scores:
    """Predicted accuracy after distillation: float32 [N] on the host; std over the members."""

    mean: Tensor
    std: Tensor


@dataclass(frozen=True)
class Verified:
    """Students of a task whose accuracy [N] in [0, 1] after distillation is known."""

    students: Students
    accuracy: Tensor


@dataclass(frozen=True)
class Predictor:
    """A meta-trained ensemble: weights and step sizes [M, ...]."""

    space: Space
    net: Network
    params: Params
    rates: Params
    units: Units
    order: Order
    steps: int
    learning: Learning
    intervals: Intervals = field(default_factory=lambda: Intervals(0.0, {}))

    def adapted(self, task: Task, verified: Verified | None = None) -> "Adapted":
        """The ensemble after it saw the task's teacher and verified students."""
        if verified is None or self.learning == "gradient":
            return Adapted(self, self._inner_steps(task, verified), task)
        alone = Adapted(self, self._inner_steps(task, None), task)
        outputs = alone.outputs(verified.students).mean(dim=0)
        targets = self.units.targets(verified.accuracy, task.accuracy)
        found = Residuals.of(alone.hidden(verified.students), outputs, targets)
        return replace(alone, residuals=found)

    def _inner_steps(self, task: Task, verified: Verified | None) -> Params:
        """Weights [M, 1, ...] after the inner steps."""
        if self.order == "none":
            return {name: value.detach() for name, value in spread(self.params, 1).items()}
        found = self._support(task, verified)
        return adapt(self.net, self.params, self.rates, found, self.steps)

    def _support(self, task: Task, verified: Verified | None) -> Support:
        """The teacher, then verified students, all of one weight."""
        inputs, targets = task.teacher, torch.tensor([self.units.offset])
        if verified is not None:
            inputs = joined(in_support(task.teacher, self.net), verified.students)
            more = self.units.targets(verified.accuracy, task.accuracy)
            targets = torch.cat([targets, more])
        weights = torch.full_like(targets, 1 / len(targets))
        return Support(Tasks.of([task]), Batch.of([inputs]), targets[None], weights[None])


def in_support(teacher: Students, net: Network) -> Students:
    """The teacher as a student: without a map where students have none."""
    maps = teacher.maps if net.encodings.student else teacher.maps.new_zeros(1, 0, 1, 1)
    return Students(maps, teacher.vectors, teacher.signals)


def joined(first: Students, second: Students) -> Students:
    """Students one after the other."""
    return Students(
        torch.cat([first.maps, second.maps]),
        torch.cat([first.vectors, second.vectors]),
        torch.cat([first.signals, second.signals]),
    )


@dataclass(frozen=True)
class Adapted:
    """An ensemble that is ready to score students of one task; weights [M, 1, ...]."""

    predictor: Predictor
    params: Params
    task: Task
    residuals: Residuals | None = None

    def score(self, students: Students) -> Scores:
        """Predicted accuracies of N students, each in (0, 1)."""
        members = self.predictor.units.accuracy(self.outputs(students), self.task.accuracy)
        return Scores(members.mean(dim=0), members.std(dim=0, correction=0))

    @torch.no_grad()
    def outputs(self, students: Students) -> Tensor:
        """The members' outputs [M, N], corrected by what verified students say."""
        out = self._chunked(self.predictor.net, students)
        return out if self.residuals is None else out + self.residuals.at(self.hidden(students))

    @torch.no_grad()
    def hidden(self, students: Students) -> Tensor:
        """The members' last hidden layers, side by side [N, M * hidden]."""
        return self._chunked(self.predictor.net.hidden_layer, students).movedim(0, 1).flatten(1)

    def _chunked(self, function: Callable[..., Tensor], students: Students) -> Tensor:
        """A function of weights, tasks and students [M, 1, N, ...] -> [M, N, ...]."""
        tasks, parts = Tasks.of([self.task]), torch.arange(len(students)).split(CHUNK)
        found = [function(self.params, tasks, Batch.of([students[part]]))[:, 0] for part in parts]
        return torch.cat(found, dim=1)

    def interval(self, scores: Scores, level: float) -> tuple[Tensor, Tensor]:
        """Ends [N] in [0, 1] of calibrated intervals of accuracy; KeyError for another level."""
        known = self.predictor.intervals
        half = known.factors[level] * (scores.std + known.floor)
        return (scores.mean - half).clamp(0, 1), (scores.mean + half).clamp(0, 1)
