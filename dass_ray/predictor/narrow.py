"""Inputs with some encodings switched off, without encoding anything again."""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dass_ray.config import Encodings, Signal
from dass_ray.predictor.encode import Students
from dass_ray.predictor.runs import TaskRuns
from dass_ray.space import Space

SWITCHES = ("student", "teacher", "architecture", "summary", "dataset", "signals")


def widest(encodings: Encodings, signals: Sequence[Signal]) -> Encodings:
    """These encodings with every switch on, from which all of them can be narrowed."""
    on = dict.fromkeys(SWITCHES, True) | {"signals": tuple(signals)}
    return encodings.model_copy(update=on)


def narrowed(runs: TaskRuns, space: Space, have: Encodings, want: Encodings) -> TaskRuns:
    """A task's inputs as `want` sees them, cut out of those that `have` saw, all switched on."""
    assert have == widest(want, have.signals), "only switches may differ"
    task = replace(
        runs.task,
        teacher=_cut(runs.task.teacher, space, have, want, want.teacher or want.student),
        images=runs.task.images if want.dataset else runs.task.images[:0],
    )
    students = _cut(runs.students, space, have, want, want.student)
    return replace(runs, task=task, students=students)


def _cut(
    students: Students, space: Space, have: Encodings, want: Encodings, maps: bool
) -> Students:
    size = space.vector_size
    parts: list[Tensor] = [students.vectors[:, :0]]
    if want.architecture:
        parts.append(students.vectors[:, :size])
    if want.summary:
        parts.append(students.vectors[:, size:])
    return Students(
        students.maps if maps else students.maps[:, :0, :1, :1],
        torch.cat(parts, dim=1),
        students.signals[:, [have.signals.index(name) for name in want.signals]],
    )
