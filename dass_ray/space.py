"""The student space: specs as pure data, sampling, variation and the forms that others read.

Letters: N students, S stages, D the deepest stage's number of blocks.
Source of the space: Lee et al., "Meta-prediction Model for Distillation-Aware NAS on Unseen
Datasets", ICLR 2023; here stage widths, depths and multipliers are data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from dass_ray.errors import UserError
from dass_ray.frozen import Frozen

Specs = NDArray[np.int16]
"""Many specs as one array [N, S, D]: each block's width in channels, 0 where there is no block."""


@dataclass(frozen=True, slots=True, order=True)
class Spec:
    """A student architecture: the width in channels of every block that exists, by stage.

    Equal networks are equal specs. Text form: `8-6/16/32-20-18/64` (stages by slash).
    """

    stages: tuple[tuple[int, ...], ...]

    def __str__(self) -> str:
        return "/".join("-".join(map(str, stage)) for stage in self.stages)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The spec of a text form; UserError where it is not one."""
        try:
            return cls(tuple(tuple(int(w) for w in stage.split("-")) for stage in text.split("/")))
        except ValueError:
            raise UserError(
                f"{text!r} is not a student: write the blocks' widths as 8-6/16/32-20/64"
            ) from None


class Space(Frozen):
    """A family of students of one teacher: what may vary, and the size of the images.

    `multipliers` are the widths a block may have, as fractions of its stage's width. The last
    block of the last stage keeps the full width, since the student takes over the teacher's head.
    """

    name: str
    """Name of the space."""
    image_size: int = Field(ge=8)
    """Side of the images in px; others are resized."""
    widths: tuple[Annotated[int, Field(ge=1, le=np.iinfo(np.int16).max)], ...] = Field(min_length=1)
    """Channels of each stage at full width."""
    strides: tuple[Annotated[int, Field(ge=1)], ...]
    """Stride of each stage's first block."""
    max_depth: int = Field(default=5, ge=1)
    """Most blocks of a stage."""
    multipliers: tuple[float, ...] = tuple(0.5 + i / 16 for i in range(9))
    """Widths that a block may have, as shares of its stage's."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len(self.widths) != len(self.strides):
            raise ValueError("widths and strides need one entry for each stage")
        if self.image_size % int(np.prod(self.strides)):
            raise ValueError("image_size must be a multiple of the product of the strides")
        if min(self.multipliers) <= 0 or max(self.multipliers) != 1.0:
            raise ValueError("multipliers must be above 0 with 1.0 as the largest")
        return self

    @cached_property
    def choices(self) -> tuple[tuple[int, ...], ...]:
        """The widths a block of each stage may have, ascending, in channels."""
        return tuple(
            tuple(sorted({max(1, int(w * m + 0.5)) for m in self.multipliers})) for w in self.widths
        )

    @cached_property
    def teacher(self) -> Spec:
        """The largest network of the space, which is also the teacher's own architecture."""
        return Spec(tuple((w,) * self.max_depth for w in self.widths))

    @cached_property
    def smallest(self) -> Spec:
        """The network of fewest parameters and FLOPs in the space."""
        head = tuple((choice[0],) for choice in self.choices[:-1])
        return Spec((*head, (self.widths[-1],)))

    def holds(self, other: "Space") -> bool:
        """Whether every student of the other space is one of this, for teachers alike but depth."""
        same = {"widths", "strides", "image_size", "multipliers"}
        alike = self.model_dump(include=same) == other.model_dump(include=same)
        return alike and other.max_depth <= self.max_depth

    def check(self, spec: Spec) -> Spec:
        """The spec itself where it lies in this space, otherwise a UserError that says why."""
        if len(spec.stages) != len(self.widths):
            raise UserError(f"{spec} has {len(spec.stages)} stages, {self.name} {len(self.widths)}")
        for i, (stage, choice) in enumerate(zip(spec.stages, self.choices, strict=True), 1):
            if not 1 <= len(stage) <= self.max_depth:
                raise UserError(f"{spec}: stage {i} needs 1 to {self.max_depth} blocks")
            if wrong := [w for w in stage if w not in choice]:
                raise UserError(f"{spec}: width {wrong[0]} in stage {i} is not one of {choice}")
        if spec.stages[-1][-1] != self.widths[-1]:
            raise UserError(f"{spec}: the last block keeps the teacher's width {self.widths[-1]}")
        return spec

    def pack(self, specs: Sequence[Spec]) -> Specs:
        """The array form [N, S, D] of specs."""
        out = np.zeros((len(specs), len(self.widths), self.max_depth), dtype=np.int16)
        for n, spec in enumerate(specs):
            for s, stage in enumerate(spec.stages):
                out[n, s, : len(stage)] = stage
        return out

    def unpack(self, specs: Specs) -> list[Spec]:
        """The specs of an array form [N, S, D]."""
        return [
            Spec(tuple(tuple(w for w in stage if w) for stage in student))
            for student in specs.tolist()
        ]

    def sample(self, n: int, rng: np.random.Generator) -> Specs:
        """[N, S, D]: depth of every stage and width of every block drawn uniformly."""
        stages, depth = len(self.widths), self.max_depth
        depths = rng.integers(1, depth + 1, size=(n, stages))
        out = np.zeros((n, stages, depth), dtype=np.int16)
        for s, choice in enumerate(self.choices):
            out[:, s] = np.asarray(choice, dtype=np.int16)[
                rng.integers(len(choice), size=(n, depth))
            ]
        return self.trim(out, depths)

    def trim(self, widths: Specs, depths: NDArray[np.int64]) -> Specs:
        """Blocks beyond the depth removed [N, S, D], last block of the last stage made full."""
        out = np.where(np.arange(self.max_depth) < depths[..., None], widths, 0).astype(np.int16)
        out[np.arange(len(out)), -1, depths[:, -1] - 1] = self.widths[-1]
        return out

    def mutate(self, specs: Specs, rng: np.random.Generator, rate: float | None = None) -> Specs:
        """Neighbours [N, S, D]: every width and depth is redrawn with probability `rate`.

        The default rate changes about two of the genes. New blocks get drawn widths.
        """
        rate = 2 / (specs.shape[1] * (specs.shape[2] + 1)) if rate is None else rate
        fresh, old = self.sample(len(specs), rng), _depths(specs)
        depths = np.where(rng.random(old.shape) < rate, _depths(fresh), old)
        redraw = (rng.random(specs.shape) < rate) | (specs == 0)
        filled = np.where(fresh > 0, fresh, self._full(len(specs), rng))
        return self.trim(np.where(redraw, filled, specs), depths)

    def crossover(self, a: Specs, b: Specs, rng: np.random.Generator) -> Specs:
        """Children [N, S, D] that take each whole stage from one of two parents [N, S, D]."""
        return np.where(rng.random(a.shape[:2])[..., None] < 0.5, a, b)

    def _full(self, n: int, rng: np.random.Generator) -> Specs:
        """Widths [N, S, D] drawn for every slot, whether its block exists or not."""
        drawn = [rng.choice(c, size=(n, self.max_depth)) for c in self.choices]
        return np.stack(drawn, axis=1).astype(np.int16)

    @property
    def vector_size(self) -> int:
        """Length F of the predictor's vector form."""
        return 2 * len(self.widths) * self.max_depth

    def vectors(self, specs: Specs) -> NDArray[np.float32]:
        """[N, F] for the predictor: whether each block exists, then its width / stage width."""
        widths = specs / np.asarray(self.widths)[None, :, None]
        both = np.concatenate([specs > 0, widths], axis=1)
        return both.reshape(len(specs), both.shape[1] * both.shape[2]).astype(np.float32)


def _depths(specs: Specs) -> NDArray[np.int64]:
    """[N, S]: the number of blocks in each stage."""
    depths: NDArray[np.int64] = np.sum(specs > 0, axis=2)
    return depths


MICRO = Space(name="micro", image_size=16, widths=(8, 16, 32, 64), strides=(1, 2, 2, 2))
PAPER = Space(name="paper", image_size=64, widths=(32, 64, 128, 256), strides=(1, 2, 2, 2))
PRESETS = {space.name: space for space in (MICRO, PAPER)}


def preset(name: str) -> Space:
    """The preset space of that name; UserError with the known ones otherwise."""
    if name not in PRESETS:
        raise UserError(f"no space is called {name!r}; known: {', '.join(PRESETS)}")
    return PRESETS[name]
