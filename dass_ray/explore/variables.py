"""Students as Optuna's variables: one for each block, or one for each stage.

Letters: N students, S stages, D blocks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import IntDistribution

from dass_ray.space import Space, Specs

Params = Mapping[str, int]


class Variables(Protocol):
    """How Optuna sees a space."""

    @property
    def distributions(self) -> dict[str, IntDistribution]:
        """The variables by name."""
        ...

    def params(self, specs: Specs) -> list[dict[str, int]]:
        """The variables' values of students [N, S, D]."""
        ...

    def specs(self, params: Sequence[Params]) -> Specs:
        """The students [N, S, D] of values."""
        ...


@dataclass(frozen=True)
class Blocks:
    """`d<stage>` is a depth, `w<stage>.<block>` an index into what the stage's blocks may be.

    Neighbouring values are similar students, so samplers that know of no students can learn.
    Blocks that do not exist are the largest.
    """

    space: Space

    @cached_property
    def distributions(self) -> dict[str, IntDistribution]:
        """A depth and `max_depth` blocks for each stage."""
        out: dict[str, IntDistribution] = {}
        for s, choice in enumerate(self.space.choices):
            out[f"d{s}"] = IntDistribution(1, self.space.max_depth)
            for j in range(self.space.max_depth):
                out[f"w{s}.{j}"] = IntDistribution(0, len(choice) - 1)
        if len(self.space.ends) == 1:  # that of a full last stage is given
            del out[f"w{len(self.space.widths) - 1}.{self.space.max_depth - 1}"]
        return out

    def params(self, specs: Specs) -> list[dict[str, int]]:
        """The variables' values of students [N, S, D]."""
        depths = (specs > 0).sum(axis=2)
        columns: dict[str, list[int]] = {}
        for s, choice in enumerate(self.space.choices):
            columns[f"d{s}"] = depths[:, s].tolist()
            index = np.searchsorted(choice, specs[:, s])
            index[specs[:, s] == 0] = len(choice) - 1
            for j in range(specs.shape[2]):
                columns[f"w{s}.{j}"] = index[:, j].tolist()
        names = list(self.distributions)
        return [
            dict(zip(names, row, strict=True))
            for row in zip(*(columns[name] for name in names), strict=True)
        ]

    def specs(self, params: Sequence[Params]) -> Specs:
        """The students [N, S, D] of values."""
        space = self.space
        out = np.zeros((len(params), len(space.widths), space.max_depth), np.int16)
        for s, choice in enumerate(space.choices):
            depths = np.array([row[f"d{s}"] for row in params], np.int64)
            for j in range(space.max_depth):
                index = [row.get(f"w{s}.{j}", len(choice) - 1) for row in params]
                out[:, s, j] = np.where(j < depths, np.asarray(choice)[index], 0)
        last = np.arange(len(out)), -1, depths - 1
        out[last] = space.ended(out[last])
        return out


@dataclass(frozen=True)
class Stages:
    """`s<stage>` numbers the stage's forms: by depth, then by blocks as digits.

    A quarter of the bookkeeping that `Blocks` costs, for a sampler that proposes whole students.
    """

    space: Space

    @staticmethod
    def number(space: Space) -> bool:
        """Whether all forms have numbers that Optuna, which keeps floats, can tell apart."""
        return bool(max(map(len, space.choices)) ** space.max_depth < 2**52)

    @cached_property
    def distributions(self) -> dict[str, IntDistribution]:
        """One variable for each stage."""
        return {f"s{s}": IntDistribution(0, int(o[-1]) - 1) for s, o in enumerate(self._offsets)}

    @cached_property
    def _offsets(self) -> list[NDArray[np.int64]]:
        """Of each stage: the number of its first form of each depth, then of all its forms."""
        depths = np.arange(1, self.space.max_depth + 1)
        counts = [len(choice) ** depths for choice in self.space.choices]
        counts[-1] = len(self.space.choices[-1]) ** (depths - 1) * len(self.space.ends)
        return [np.concatenate([[0], np.cumsum(count)]) for count in counts]

    def params(self, specs: Specs) -> list[dict[str, int]]:
        """The variables' values of students [N, S, D]."""
        codes = self.codes(specs)
        return [dict(zip(self.distributions, row, strict=True)) for row in codes.tolist()]

    def codes(self, specs: Specs) -> NDArray[np.int64]:
        """The numbers [N, S] of students' stages."""
        depths = (specs > 0).sum(axis=2)
        out = np.empty(specs.shape[:2], np.int64)
        for s, choice in enumerate(self.space.choices):
            digits = np.searchsorted(choice, specs[:, s]) * (specs[:, s] > 0)
            if s == specs.shape[1] - 1:
                last = np.arange(len(specs)), depths[:, s] - 1
                digits[last] = np.searchsorted(self.space.ends, specs[:, s][last])
            places = len(choice) ** np.arange(specs.shape[2])
            out[:, s] = self._offsets[s][depths[:, s] - 1] + (digits * places).sum(axis=1)
        return out

    def specs(self, params: Sequence[Params]) -> Specs:
        """The students [N, S, D] of values."""
        space = self.space
        out = np.zeros((len(params), len(space.widths), space.max_depth), np.int16)
        for s, choice in enumerate(space.choices):
            code = np.array([row[f"s{s}"] for row in params], np.int64)
            depth = np.searchsorted(self._offsets[s], code, side="right")
            rest = code - self._offsets[s][depth - 1]
            end = rest // len(choice) ** (depth - 1)
            for j in range(space.max_depth):
                rest, digit = np.divmod(rest, len(choice))
                out[:, s, j] = np.where(j < depth, np.asarray(choice)[digit], 0)
        out[np.arange(len(out)), -1, depth - 1] = np.asarray(space.ends)[end]
        return out
