"""The latency of students, looked up in a table of their blocks' times, vectorised over students.

A table belongs to one device and one way of calling it. `models.latency` measures and fits tables.
Letters as in `space`: N students, S stages, D blocks of the deepest stage.
Source of the idea: nn-Meter (Zhang et al., MobiSys 2021) and HELP (Lee et al., NeurIPS 2021).
"""

from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.records import SCHEMA_VERSION
from dass_ray.space import Space, Specs

LEAST = 8  # students: with fewer, an error says nothing


class LatencySetup(Frozen):
    """What is to be measured: networks of a space, a device and how it is called."""

    space: Space
    classes: int = Field(ge=1)
    device: str  # the hardware's name, as in "AMD EPYC" or "NVIDIA H100"
    batch: int = Field(default=1, ge=1)  # images in one forward pass
    threads: int = Field(default=1, ge=1)  # of the CPU; on a GPU they only launch its kernels
    students: int = Field(default=48, ge=LEAST)
    seed: int = 0  # of the choice of students
    dtype: Literal["float32"] = "float32"

    def __str__(self) -> str:
        images = f"{self.batch} image{'s' * (self.batch > 1)}"
        threads = f"{self.threads} thread{'s' * (self.threads > 1)}"
        return (
            f"{self.space.name}, {self.classes} classes, {self.device}, {images}, {threads}, "
            f"{self.students} students, seed {self.seed}"
        )


class BlockTime(NamedTuple):
    """One row of a table: a block and its milliseconds, of one forward pass of the whole batch."""

    stage: int  # from 1
    first: bool  # whether it is the first block of its stage
    inputs: int  # channels that enter
    block: int  # its code (families.codes): in the family resnet, its width
    ms: float


class MeasuredStudent(NamedTuple):
    """A student's milliseconds, measured and predicted by a fit to all others."""

    spec: str
    ms: float
    left_out: float


class LatencyErrors(Frozen):
    """How far predictions of left-out students are from the measurements, |p / m - 1|."""

    median: float
    p90: float  # 90th percentile
    spearman: float  # between predictions and measurements


class LatencyTable(LatencySetup):
    """The measured latency of a space's students on a device, as a table of blocks.

    A student's time is `base` (stem, head, the call itself, and what the first blocks of stages
    always add) and the rows of its blocks.
    """

    base: float  # ms
    blocks: tuple[BlockTime, ...]
    measured: tuple[MeasuredStudent, ...]
    errors: LatencyErrors
    torch_version: str
    code_version: str
    schema_version: int = SCHEMA_VERSION

    @property
    def setup(self) -> LatencySetup:
        """What was measured."""
        return LatencySetup(**{name: getattr(self, name) for name in LatencySetup.model_fields})

    @property
    def extremes(self) -> list[BlockTime]:
        """The rows of each stage's narrowest and widest blocks, first and other, for people."""
        kinds: dict[tuple[int, bool], list[BlockTime]] = {}
        for row in self.blocks:
            kinds.setdefault((row.stage, row.first), []).append(row)
        return [end for rows in kinds.values() for end in dict.fromkeys((rows[0], rows[-1]))]

    def check(self, space: Space) -> None:
        """UserError where students of `space` are not all in this table."""
        if not self.space.holds(space):
            raise UserError(
                f"the latency table is of the space {self.space.name!r}, not of {space.name!r}: "
                f"measure one with `dass-ray latency measure NAME --space {space.name}`"
            )

    def milliseconds(self, specs: Specs) -> NDArray[np.float64]:
        """[N]: ms of one forward pass of `batch` images by each of the students [N, S, D].

        UserError where a block is not in the table: the students are of another space.
        """
        stages = len(self.space.widths)
        if specs.shape[1] != stages:
            raise UserError(
                f"the latency table has {stages} stages, the students {specs.shape[1]}: "
                f"it was measured on the space {self.space.name!r}"
            )
        slots, times = self._lookup
        kind, inputs = slots[specs], slots[self.space.inputs(specs)]
        first = np.arange(specs.shape[2]) == 0
        found = times[first.astype(int), np.arange(stages)[:, None], inputs, kind]
        ms: NDArray[np.float64] = self.base + found.sum(axis=(1, 2))
        if np.isnan(ms).any():
            raise UserError(
                "a student has a block that the latency table lacks: "
                f"it was measured on the space {self.space.name!r}"
            )
        return ms

    @cached_property
    def _lookup(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """A slot for each width and code; ms [2, S, slots, slots] by not first and first, stage,
        width that enters, code.

        Slot 0 is for blocks that do not exist (0 ms), the last one for unknown ones (NaN).
        """
        stage, first, inputs, kind, ms = np.array(self.blocks).T
        known = np.unique(np.concatenate([inputs, kind]).astype(int))
        slots = np.full(np.iinfo(np.int16).max + 1, len(known) + 1)
        slots[[0, *known]] = np.arange(len(known) + 1)
        times = np.full((2, len(self.space.widths), len(known) + 2, len(known) + 2), np.nan)
        times[:, :, 0, 0] = 0.0
        at = (first.astype(int), stage.astype(int) - 1)
        times[*at, slots[inputs.astype(int)], slots[kind.astype(int)]] = ms
        return slots, times
