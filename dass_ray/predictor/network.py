"""The predictor's network: many members, each adapted to many tasks, in one pass.

Letters: M members, T tasks, N students, C channels, H and W the last map's size, F and G lengths of
vectors and signals, K images of a data set, E numbers of each.
Source: Lee et al., ICLR 2023: encoders of the student's map (S), the teacher's map (T) and the
architecture vector (A), then linear, tanh, linear. Here with signals, and with the set encoder (D)
that the paper frames: attention among images, then attention of one learned query to them (Set
Transformer, Lee et al., ICML 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from dass_ray.config import Encodings
from dass_ray.predictor.encode import Students, Task
from dass_ray.predictor.layers import (
    Params,
    attend,
    encode_maps,
    halved,
    linear,
    new_convolution,
    new_linear,
    product,
)

SET_WIDTH = 32  # channels of the set encoder


@dataclass(frozen=True)
class Batch:
    """Students of T tasks: maps [T, N, H, W, C], vectors [T, N, F], signals [T, N, G]."""

    maps: Tensor
    vectors: Tensor
    signals: Tensor

    @classmethod
    def of(cls, students: Sequence[Students]) -> "Batch":
        """As many students of each task."""
        return cls(
            torch.stack([s.maps for s in students]).movedim(2, -1),
            torch.stack([s.vectors for s in students]),
            torch.stack([s.signals for s in students]),
        )


@dataclass(frozen=True)
class Tasks:
    """T tasks: the teacher's map [T, 1, H, W, C] and images [T, K, E]."""

    maps: Tensor
    images: Tensor

    @classmethod
    def of(cls, tasks: Sequence[Task]) -> "Tasks":
        """Tasks of one space."""
        maps = torch.stack([task.teacher.maps for task in tasks]).movedim(2, -1)
        return cls(maps, torch.stack([task.images for task in tasks]))


@dataclass(frozen=True)
class Network:
    """Sizes of the network and what it looks at; its weights are handed over."""

    encodings: Encodings
    map_size: tuple[int, int, int]  # C, H, W
    vector: int  # F
    images: int  # E
    hidden: int

    @classmethod
    def like(cls, encodings: Encodings, task: Task, hidden: int) -> "Network":
        """A network for tasks of this form."""
        channels, height, width = task.teacher.maps.shape[1:]
        size = (channels, height, width)
        return cls(encodings, size, task.teacher.vectors.shape[1], task.images.shape[1], hidden)

    def new(self, generator: torch.Generator) -> Params:
        """Fresh weights of one member."""
        parts: dict[str, Params] = {}
        for name in ("student", "teacher"):
            if name in self.widths:
                parts |= self._map_encoder(name, generator)
        if "architecture" in self.widths:
            parts["architecture"] = new_linear(self.vector, self.hidden, generator)
        if "set" in self.widths:
            parts |= self._set_encoder(generator)
        joined = sum(self.widths.values())
        for name, width in self.widths.items():
            weight = new_linear(width, self.hidden, generator, fan_in=joined)["weight"]
            parts[f"mix.{name}"] = {"weight": weight}
        parts["mix"] = {"bias": new_linear(joined, self.hidden, generator)["bias"]}
        parts["out"] = new_linear(self.hidden, 1, generator)
        return {f"{part}.{name}": v for part, group in parts.items() for name, v in group.items()}

    @cached_property
    def widths(self) -> dict[str, int]:
        """Numbers that each input brings to the mixing layer."""
        on, channels = self.encodings, self.map_size[0]
        every = {
            "student": channels * on.student, "teacher": channels * on.teacher,
            "architecture": self.hidden * bool(self.vector), "set": SET_WIDTH * on.dataset,
            "signals": len(on.signals),
        }  # fmt: skip
        return {name: width for name, width in every.items() if width}

    def _map_encoder(self, name: str, generator: torch.Generator) -> dict[str, Params]:
        channels, height, width = self.map_size
        half, smaller = max(1, channels // 2), (halved(height), halved(width))
        return {
            f"{name}.conv1": new_convolution(channels, half, (height, width), generator),
            f"{name}.conv2": new_convolution(half, channels, smaller, generator),
        }

    def _set_encoder(self, generator: torch.Generator) -> dict[str, Params]:
        square = {
            f"{block}.{part}": new_linear(SET_WIDTH, SET_WIDTH, generator)
            for block in ("set.among", "set.pool")
            for part in ("query", "key", "value", "forward")
        }
        seed = torch.randn(1, SET_WIDTH, generator=generator)
        return {
            "set.embed": new_linear(self.images, SET_WIDTH, generator), **square,
            "set.seed": {"query": seed},
        }  # fmt: skip

    def __call__(self, params: Params, tasks: Tasks, students: Batch) -> Tensor:
        """Weights [M, T, ...] -> outputs [M, T, N]."""
        out = linear(params, "out", self.hidden_layer(params, tasks, students))[..., 0]
        return out.expand(-1, -1, students.vectors.shape[1])

    def hidden_layer(self, params: Params, tasks: Tasks, students: Batch) -> Tensor:
        """Weights [M, T, ...] -> the last hidden layer [M, T, N, hidden], in [-1, 1]."""
        encoders = {
            "student": lambda: encode_maps(params, "student", students.maps),
            "teacher": lambda: encode_maps(params, "teacher", tasks.maps),
            "architecture": lambda: linear(params, "architecture", students.vectors),
            "set": lambda: self._encode_set(params, tasks.images),
            "signals": lambda: students.signals,
        }
        mixed = params["mix.bias"][:, :, None]
        for name in self.widths:  # what a task's students share is mixed once, not for each
            mixed = mixed + product(encoders[name](), params[f"mix.{name}.weight"])
        return torch.tanh(mixed)

    def _encode_set(self, params: Params, images: Tensor) -> Tensor:
        """Images [T, K, E] -> [M, T, 1, SET_WIDTH]."""
        members = torch.relu(linear(params, "set.embed", images))
        members = attend(params, "set.among", members, members)
        return attend(params, "set.pool", params["set.seed.query"], members)
