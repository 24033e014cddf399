"""What a search knows of its candidates, as columns that grow.

Letters: N students, S stages, D blocks, K objectives, T teachers.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from dass_ray.config import Objective
from dass_ray.cost import Cost
from dass_ray.space import Specs

Floats = NDArray[np.float64]
MAXIMISED = ("accuracy", "accuracy_lower", "accuracy_upper")


def keys(specs: Specs) -> list[bytes]:
    """Each student [N, S, D] as something short that can be looked up."""
    rows = np.ascontiguousarray(specs, np.int16).reshape(len(specs), -1)
    return [row.tobytes() for row in rows]


@dataclass(frozen=True)
class Candidates:
    """Students [N, S, D], predicted accuracies with their standard deviations [N], and costs.

    by_teacher [N, T, 2]: prediction and deviation for each teacher, where there are several; then
    `predicted` is that of the teacher from which a student is predicted best.
    """

    specs: Specs
    predicted: Floats
    uncertainty: Floats
    cost: Cost
    by_teacher: Floats | None = None

    @classmethod
    def scored(cls, specs: Specs, values: Floats, cost: Cost) -> Self:
        """Students with the prediction and deviation for each of one or more teachers [N, T, 2]."""
        best = values[np.arange(len(values)), values[:, :, 0].argmax(axis=1)]
        return cls(specs, best[:, 0], best[:, 1], cost, values if values.shape[1] > 1 else None)

    @property
    def values(self) -> Floats:
        """Prediction and deviation for each of one or more teachers [N, T, 2]."""
        if self.by_teacher is None:
            return np.stack([self.predicted, self.uncertainty], axis=1)[:, None]
        return self.by_teacher

    def pairs(self) -> tuple["Candidates", NDArray[np.int64]]:
        """Every student with every teacher as one candidate, and the teacher's number [N * T]."""
        n, teachers = self.values.shape[:2]
        student = np.repeat(np.arange(n), teachers)
        predicted, uncertainty = self.values.reshape(-1, 2).T
        pairs = Candidates(self.specs[student], predicted, uncertainty, self.cost.at(student))
        return pairs, np.tile(np.arange(teachers), n)

    def __len__(self) -> int:
        return len(self.specs)

    def objectives(self, names: Sequence[Objective]) -> Floats:
        """The objectives' values [N, K], as they are."""
        columns = {
            "accuracy": self.predicted,
            "accuracy_lower": self.predicted - self.uncertainty,
            "accuracy_upper": self.predicted + self.uncertainty,
            "params": self.cost.params,
            "flops": self.cost.flops,
            "latency": self.cost.latency,
        }
        return np.stack([np.asarray(columns[name], np.float64) for name in names], axis=1)

    def minimised(self, names: Sequence[Objective]) -> Floats:
        """The objectives' values [N, K], the smaller the better."""
        signs = [-1.0 if name in MAXIMISED else 1.0 for name in names]
        return self.objectives(names) * signs

    def at(self, index: NDArray[np.int64] | NDArray[np.bool_]) -> "Candidates":
        """Some of them."""
        return Candidates(
            self.specs[index], self.predicted[index], self.uncertainty[index], self.cost.at(index),
            None if self.by_teacher is None else self.by_teacher[index],
        )  # fmt: skip


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Candidates one after the other; at least one part, all of the same teachers."""
    if len(parts) == 1:
        return parts[0]
    values = [part.by_teacher for part in parts if part.by_teacher is not None]
    return Candidates(
        np.concatenate([part.specs for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.uncertainty for part in parts]),
        Cost.joined([part.cost for part in parts]),
        np.concatenate(values) if values else None,
    )


class Archive:
    """All candidates that were told, each once, and the names of all that were asked for."""

    def __init__(self) -> None:
        self.parts: list[Candidates] = []
        self.asked = set[bytes]()
        self.told = set[bytes]()

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def ask(self, specs: Specs) -> None:
        """Notes students [N, S, D] that are being scored."""
        self.asked.update(keys(specs))

    def add(self, more: Candidates) -> None:
        """Adds what was scored; a student that is here already is left out."""
        names = keys(more.specs)
        new = [i for i, name in enumerate(names) if name not in self.told]
        first = {names[i]: i for i in reversed(new)}
        self.told.update(first)
        self.asked.update(names)
        if first:
            self.parts.append(more.at(np.array(sorted(first.values()))))

    @property
    def all(self) -> Candidates:
        """Everything, in the order in which it came; not for an empty archive."""
        self.parts = [joined(self.parts)]
        return self.parts[0]
