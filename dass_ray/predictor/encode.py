"""What the predictor sees of a task and its students.

Letters: N students, C channels, H and W the last activation map's size, F the spec vector's length,
G signals, K images of a data set, E numbers of each.
Source: the functional embedding of Lee et al., ICLR 2023: one fixed Gaussian-noise image through
the teacher and through the remapped student, both in eval mode. Here maps are divided by the root
mean square of the teacher's, so that a teacher's overall scale does not matter, and signals are
told relative to random students of the same task.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from dass_ray.config import Encodings
from dass_ray.cost import cost
from dass_ray.data.dataset import Dataset
from dass_ray.data.shown import labelled, normalised
from dass_ray.models.network import StagedNetwork
from dass_ray.models.prefix_tree import Room, Walk
from dass_ray.predictor.probes import Maps
from dass_ray.predictor.signals import signals
from dass_ray.space import Space, Specs

REFERENCE = 32  # random students that give the signals of a task their zero and unit
MOST = 4.0  # standard deviations that a signal tells
SET_IMAGES, SET_SIDE = 64, 8  # what the set encoder sees: so many images of so many px


@dataclass(frozen=True)
class Students:
    """Inputs of N students: maps [N, C, H, W], vectors [N, F], signals [N, G]; float32."""

    maps: Tensor
    vectors: Tensor
    signals: Tensor

    def __getitem__(self, chosen: Tensor) -> "Students":
        return Students(self.maps[chosen], self.vectors[chosen], self.signals[chosen])

    def __len__(self) -> int:
        return len(self.vectors)


@dataclass(frozen=True)
class Task:
    """A task's inputs: the teacher as its own student (N = 1), images, validation accuracy."""

    teacher: Students
    images: Tensor  # [K, E]; K = 0 where the set encoder is off
    accuracy: float


@dataclass(frozen=True)
class TaskEncoder:
    """Makes the inputs of one task and of its students, on the teacher's device.

    accuracy: the teacher's on the validation split, in [0, 1]; space: the predictor's, which holds
    the teacher's; dataset: of the teacher's image size, needed for what looks at real images;
    dtype: of the convolutions; soft: logits [images, K] of a teacher from elsewhere, whose proxy
    `teacher` is, on the training images that `shown` names.
    """

    teacher: StagedNetwork
    accuracy: float
    space: Space
    encodings: Encodings
    dataset: Dataset | None = None
    dtype: torch.dtype = torch.float32
    soft: Tensor | None = None

    @cached_property
    def task(self) -> Task:
        """The task's inputs, on the host."""
        e = self.encodings  # as a student of its own task, the teacher has the map that students do
        teacher = self.students(
            self.space.pack([self.teacher.space.teacher]), e.teacher or e.student
        )
        return Task(teacher, self._set(), self.accuracy)

    def students(self, specs: Specs, maps: bool | None = None) -> Students:
        """The inputs of students [N, S, D], computed in chunks, on the host.

        maps: whether they are wanted; by default as the encodings say.
        """
        missing = self.space.max_depth - specs.shape[2]  # the teacher's space may be less deep
        specs = np.pad(specs, ((0, 0), (0, 0), (0, missing)))
        return Students(
            self._maps(specs) if (self.encodings.student if maps is None else maps) else
            torch.zeros(len(specs), 0, 1, 1),
            self._vectors(specs),
            self._signals(specs),
        )  # fmt: skip

    def _vectors(self, specs: Specs) -> Tensor:
        """What the spec alone tells [N, F]."""
        parts = [np.empty((len(specs), 0), np.float32)]
        if self.encodings.architecture:
            parts.append(self.space.vectors(specs))
        if self.encodings.summary:
            parts.append(self._summary(specs))
        return torch.from_numpy(np.concatenate(parts, axis=1))

    def _summary(self, specs: Specs) -> NDArray[np.float32]:
        """[N, S + G S + 2]: see `Space.summary`, then log costs over the teacher's."""
        teacher = self.space.pack([self.teacher.space.teacher])
        found = cost(self.space, np.concatenate([teacher, specs]), self.teacher.classes)
        logs = np.log(np.stack([found.params, found.flops], axis=1))
        both = [self.space.summary(specs), logs[1:] - logs[0]]
        return np.concatenate(both, axis=1).astype(np.float32)

    def _maps(self, specs: Specs) -> Tensor:
        probe = Maps(self._probe, pooled=self.encodings.use == "mean")
        return Walk(self.teacher, probe, self._room, self.dtype)(specs).cpu() / self._scale

    @cached_property
    def _room(self) -> Room:
        return Room.on(self.teacher.head.weight.device)

    @cached_property
    @torch.no_grad()
    def _scale(self) -> Tensor:
        teacher = self.teacher.features(self._probe).mean(dim=0)
        return teacher.square().mean().sqrt().clamp_min(1e-6).cpu()

    @cached_property
    def _probe(self) -> Tensor:
        """The images [B, 3, ., .] whose maps are looked at."""
        e, device = self.encodings, self.teacher.head.weight.device
        size = e.probe_size or self.teacher.space.image_size
        if e.probe == "noise":
            return noise(e.probes, size).to(device)
        return F.interpolate(self._images[0][: e.probes], size, mode="bilinear")

    @cached_property
    def _images(self) -> tuple[Tensor, Tensor]:
        """Training images, normalised [B, 3, H, W], and their labels [B]; always the same ones."""
        return normalised(self._dataset, self.encodings.images)

    @property
    def _dataset(self) -> Dataset:
        assert self.dataset is not None, "these encodings look at real images"
        assert self.dataset.image_size == self.teacher.space.image_size
        return self.dataset

    def _set(self) -> Tensor:
        if not self.encodings.dataset:
            return torch.zeros(0, 3 * SET_SIDE**2)
        pixels = labelled(self._dataset, SET_IMAGES)[0].cpu().float() / 255 - 0.5
        pixels = pixels[torch.arange(SET_IMAGES) % len(pixels)]  # of few, some are seen again
        return F.adaptive_avg_pool2d(pixels, SET_SIDE).flatten(1)

    def _signals(self, specs: Specs) -> Tensor:
        if not self.encodings.signals:
            return torch.zeros(len(specs), 0)
        zero, unit = self._reference
        return ((self._raw_signals(specs) - zero) / unit).clamp(-MOST, MOST)

    def _raw_signals(self, specs: Specs) -> Tensor:
        images, labels = self._images
        names = self.encodings.signals
        return signals(
            self.teacher, specs, images, labels, names, self._room, self.dtype, self.soft
        )

    @cached_property
    def _reference(self) -> tuple[Tensor, Tensor]:
        """Mean and standard deviation [G] of the raw signals of random students."""
        drawn = self.teacher.space.sample(REFERENCE, np.random.default_rng(0))
        found = self._raw_signals(drawn)
        return found.mean(dim=0), found.std(dim=0).clamp_min(1e-6)


def noise(count: int, size: int) -> Tensor:
    """The fixed Gaussian images [count, 3, size, size]; more begin with the same ones."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, size, size, generator=generator)
