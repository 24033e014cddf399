"""The student space: specs as pure data, sampling, variation and the forms that others read.

Letters: N students, S stages, D the deepest stage's number of blocks.
Source of the space: Lee et al., "Meta-prediction Model for Distillation-Aware NAS on Unseen
Datasets", ICLR 2023; here stage widths, depths and multipliers are data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import (
    BeforeValidator,
    SerializeAsAny,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from dass_ray import families
from dass_ray.errors import UserError
from dass_ray.families import codes
from dass_ray.families.base import Block, Family, Ints, Layout, inputs
from dass_ray.families.resnet import ResNetBlocks

Specs = NDArray[np.int16]
"""Many specs as one array [N, S, D]: each block's code (`families.codes`), 0 where there is no
block. In the family resnet, a code is a width in channels."""


@dataclass(frozen=True, slots=True, order=True)
class Spec:
    """A student architecture: every block that exists, by stage.

    Equal networks are equal specs. Text form: `8-6/16/32-20-18/64` (stages by slash) where a block
    is its width in channels; `8x3-6x2/16x3`, where there is more to it.
    """

    stages: tuple[tuple[Block, ...], ...]

    def __str__(self) -> str:
        return "/".join("-".join(map(block_text, stage)) for stage in self.stages)

    @property
    def widths(self) -> tuple[tuple[int, ...], ...]:
        """The width of every block in channels, by stage."""
        return tuple(tuple(codes.numbers(block)[0] for block in stage) for stage in self.stages)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The spec of a text form; UserError where it is not one."""
        try:
            return cls(tuple(tuple(map(_block, s.split("-"))) for s in text.split("/")))
        except ValueError:
            raise UserError(
                f"{text!r} is not a student: write the blocks' widths as 8-6/16/32-20/64"
            ) from None


def block_text(block: Block) -> str:
    """A block in the text form of a spec: `8`, or `8x3`."""
    return "x".join(map(str, codes.numbers(block)))


def _block(text: str) -> Block:
    first, *more = map(int, text.split("x"))
    return (first, *more) if more else first


class Space(Layout):
    """Students of one teacher: the numbers of their stages, and the family that they belong to."""

    family: Annotated[SerializeAsAny[Family], BeforeValidator(families.parsed)] = ResNetBlocks()
    """Kind of network: a name, or {name: ..., and settings of its own}; see docs/FAMILIES.md."""

    @model_validator(mode="after")
    def _blocks_have_codes(self) -> Self:
        if max(stage[-1] for stage in self.choices) > codes.LARGEST:
            most = codes.LARGEST // codes.RADIX ** (self.numbers - 1)
            raise ValueError(f"widths of the family {self.family.name} may be at most {most}")
        return self

    @model_serializer(mode="wrap")
    def _as_ever(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """The family is left out where it is resnet: spaces, keys and cards are older than it."""
        found: dict[str, Any] = handler(self)
        if self.family == ResNetBlocks():
            found.pop("family", None)
        return found

    @cached_property
    def blocks(self) -> tuple[tuple[Block, ...], ...]:
        """What a block of each stage may be; the largest, which is the teacher's, last."""
        return self.family.blocks(self)

    @cached_property
    def choices(self) -> tuple[tuple[int, ...], ...]:
        """The codes of what a block of each stage may be, ascending."""
        return tuple(tuple(map(codes.code, stage)) for stage in self.blocks)

    @cached_property
    def ends(self) -> tuple[int, ...]:
        """The codes of what the very last block may be, ascending."""
        return tuple(map(codes.code, self.family.ends(self)))

    @cached_property
    def numbers(self) -> int:
        """G: how many numbers describe a block."""
        return len(codes.numbers(self.blocks[0][0]))

    @cached_property
    def full(self) -> Ints:
        """[G, S]: the largest numbers that blocks of each stage may have."""
        every = [[codes.numbers(block) for block in stage] for stage in self.blocks]
        return np.stack([np.array(stage).max(axis=0) for stage in every], axis=1)

    @cached_property
    def teacher(self) -> Spec:
        """The largest network of the space, which is also the teacher's own architecture."""
        return Spec(tuple((stage[-1],) * self.max_depth for stage in self.blocks))

    @cached_property
    def smallest(self) -> Spec:
        """The network of fewest parameters and FLOPs in the space."""
        head = tuple((stage[0],) for stage in self.blocks[:-1])
        return Spec((*head, (self.family.ends(self)[0],)))

    def holds(self, other: "Space") -> bool:
        """Whether every student of the other space is one of this, for teachers alike but depth."""
        same = ("widths", "strides", "image_size", "multipliers", "family")
        alike = all(getattr(self, name) == getattr(other, name) for name in same)
        return alike and other.max_depth <= self.max_depth

    def check(self, spec: Spec) -> Spec:
        """The spec itself where it lies in this space, otherwise a UserError that says why."""
        if len(spec.stages) != len(self.widths):
            raise UserError(f"{spec} has {len(spec.stages)} stages, {self.name} {len(self.widths)}")
        for i, (stage, choice) in enumerate(zip(spec.stages, self.blocks, strict=True), 1):
            if not 1 <= len(stage) <= self.max_depth:
                raise UserError(f"{spec}: stage {i} needs 1 to {self.max_depth} blocks")
            if wrong := [block for block in stage if block not in choice]:
                raise UserError(
                    f"{spec}: {self._word} {block_text(wrong[0])} in stage {i} is not one of "
                    f"({', '.join(map(block_text, choice))})"
                )
        if spec.stages[-1][-1] not in self.family.ends(self):
            only = ", ".join(map(block_text, self.family.ends(self)))
            raise UserError(f"{spec}: the last block keeps the teacher's {self._word} {only}")
        return spec

    @property
    def _word(self) -> str:
        return "width" if self.numbers == 1 else "block"

    def pack(self, specs: Sequence[Spec]) -> Specs:
        """The array form [N, S, D] of specs."""
        out = np.zeros((len(specs), len(self.widths), self.max_depth), dtype=np.int16)
        for n, spec in enumerate(specs):
            for s, stage in enumerate(spec.stages):
                out[n, s, : len(stage)] = [codes.code(block) for block in stage]
        return out

    def unpack(self, specs: Specs) -> list[Spec]:
        """The specs of an array form [N, S, D]."""
        return [
            Spec(tuple(tuple(map(self._block, filter(None, stage))) for stage in student))
            for student in specs.tolist()
        ]

    def _block(self, code: int) -> Block:
        return codes.block(code, self.numbers)

    def decoded(self, specs: Specs | Ints) -> Ints:
        """[N, G, S, D]: the numbers of each block of students [N, S, D]; the first is its width."""
        return codes.decoded(specs, self.numbers)

    @cached_property
    def block_widths(self) -> tuple[tuple[int, ...], ...]:
        """The widths that blocks of each stage may have, ascending."""
        every = ({codes.numbers(block)[0] for block in stage} for stage in self.blocks)
        return tuple(tuple(sorted(widths)) for widths in every)

    def stem_width(self, code: int) -> int:
        """Channels that the stem gives to a first block of this code."""
        width = self.decoded(np.array([code]))[:, 0]
        return int(self.family.stem_width(self, width)[0])

    def inputs(self, specs: Specs | Ints) -> Ints:
        """[N, S, D]: channels that enter each block; 0 where there is no block."""
        widths = self.decoded(specs)[:, 0]
        return inputs(widths, self.family.stem_width(self, widths[:, 0, 0]))

    def sample(self, n: int, rng: np.random.Generator) -> Specs:
        """[N, S, D]: depth of every stage and every block drawn uniformly."""
        stages, depth = len(self.widths), self.max_depth
        depths = rng.integers(1, depth + 1, size=(n, stages))
        out = np.zeros((n, stages, depth), dtype=np.int16)
        for s, choice in enumerate(self.choices):
            out[:, s] = np.asarray(choice, dtype=np.int16)[
                rng.integers(len(choice), size=(n, depth))
            ]
        return self.trim(out, depths)

    def trim(self, blocks: Specs, depths: NDArray[np.int64]) -> Specs:
        """Blocks beyond the depth removed [N, S, D], the very last one made what it may be."""
        out = np.where(np.arange(self.max_depth) < depths[..., None], blocks, 0).astype(np.int16)
        last = np.arange(len(out)), -1, depths[:, -1] - 1
        out[last] = self.ended(out[last])
        return out

    def ended(self, last: Specs) -> Specs:
        """[N]: very last blocks; what may not be one becomes the teacher's."""
        return np.where(np.isin(last, self.ends), last, self.ends[-1]).astype(np.int16)

    def mutate(self, specs: Specs, rng: np.random.Generator, rate: float | None = None) -> Specs:
        """Neighbours [N, S, D]: every block and depth is redrawn with probability `rate`.

        The default rate changes about two of the genes. New blocks are drawn.
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
        """Blocks [N, S, D] drawn for every slot, whether its block exists or not."""
        drawn = [rng.choice(c, size=(n, self.max_depth)) for c in self.choices]
        return np.stack(drawn, axis=1).astype(np.int16)

    @property
    def vector_size(self) -> int:
        """Length F of the predictor's vector form."""
        return (1 + self.numbers) * len(self.widths) * self.max_depth

    def vectors(self, specs: Specs) -> NDArray[np.float32]:
        """[N, F] for the predictor: whether each block exists, then its numbers / the largest."""
        relative = self.decoded(specs) / self.full[..., None]
        both = np.concatenate([(specs > 0)[:, None], relative], axis=1)
        return both.reshape(len(specs), self.vector_size).astype(np.float32)

    def summary(self, specs: Specs) -> NDArray[np.float64]:
        """[N, S + G S]: each stage's relative depth and its blocks' mean numbers / the largest."""
        depths = _depths(specs)
        means = self.decoded(specs).sum(axis=3) / depths[:, None] / self.full
        return np.concatenate([depths / self.max_depth, means.reshape(len(specs), -1)], axis=1)


def _depths(specs: Specs) -> NDArray[np.int64]:
    """[N, S]: the number of blocks in each stage."""
    depths: NDArray[np.int64] = np.sum(specs > 0, axis=2)
    return depths


def _presets(family: type[Family]) -> dict[str, Space]:
    every = family.presets()
    return {layout.name: Space(**dict(layout), family=own) for layout, own in every}


PRESETS = {
    name: space
    for family in families.BUILT_IN
    for name, space in _presets(families.find(family)).items()
}
MICRO, PAPER = PRESETS["micro"], PRESETS["paper"]


def preset(name: str) -> Space:
    """The preset space of that name; UserError with the known ones otherwise."""
    if name in PRESETS:
        return PRESETS[name]
    every = dict(PRESETS)
    for family in families.names():
        every |= _presets(families.find(family))
    if name not in every:
        raise UserError(f"no space is called {name!r}; known: {', '.join(every)}")
    return every[name]
