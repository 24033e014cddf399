"""What a search knows of its candidates, as columns that grow.

Letters: N students, S stages, D blocks, K objectives.
"""

from collections.abc import Sequence
from dataclasses import dataclass

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
    """Students [N, S, D], predicted accuracies with their standard deviations [N], and costs."""

    specs: Specs
    predicted: Floats
    uncertainty: Floats
    cost: Cost

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
            self.specs[index], self.predicted[index], self.uncertainty[index], self.cost.at(index)
        )


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Candidates one after the other; at least one part."""
    if len(parts) == 1:
        return parts[0]
    return Candidates(
        np.concatenate([part.specs for part in parts]),
        np.concatenate([part.predicted for part in parts]),
        np.concatenate([part.uncertainty for part in parts]),
        Cost.joined([part.cost for part in parts]),
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
