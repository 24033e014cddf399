"""What the predictor sees of a task and its students.

Letters: N students, C channels, H and W the last activation map's size, F the spec vector's length.
Source: the functional embedding of Lee et al., ICLR 2023: one fixed Gaussian-noise image through
the teacher and through the remapped student, both in eval mode. Here maps are divided by the root
mean square of the teacher's, so that a teacher's overall scale does not matter.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dass_ray.models.masked import student_maps
from dass_ray.models.resnet import ResNet
from dass_ray.space import Space, Specs

CHUNK = 256  # students in one masked pass: 1 GiB of activations at paper scale


@dataclass(frozen=True)
class Students:
    """Inputs of N students: maps float32 [N, C, H, W] and vectors float32 [N, F]."""

    maps: Tensor
    vectors: Tensor

    def __getitem__(self, chosen: Tensor) -> "Students":
        return Students(self.maps[chosen], self.vectors[chosen])


@dataclass(frozen=True)
class Task:
    """Inputs of a task: the teacher as its own student (N = 1), its validation accuracy."""

    teacher: Students
    accuracy: float


def noise(space: Space) -> Tensor:
    """The one fixed Gaussian image [1, 3, H, W] of a space."""
    generator = torch.Generator().manual_seed(0)
    return torch.randn(1, 3, space.image_size, space.image_size, generator=generator)


def encode_task(teacher: ResNet, accuracy: float) -> Task:
    """The inputs of the task whose teacher has this validation accuracy in [0, 1]."""
    space = teacher.space
    return Task(encode_students(teacher, space.pack([space.teacher])), accuracy)


@torch.no_grad()
def encode_students(teacher: ResNet, specs: Specs) -> Students:
    """The inputs of students [N, S, D], computed in chunks, on the host."""
    image = noise(teacher.space).to(teacher.head.weight.device)
    scale = teacher.features(image).square().mean().sqrt().clamp_min(1e-6)
    chunks = [specs[i : i + CHUNK] for i in range(0, len(specs), CHUNK)]
    maps = [(student_maps(teacher, chunk, image)[:, 0] / scale).cpu() for chunk in chunks]
    return Students(torch.cat(maps), torch.from_numpy(teacher.space.vectors(specs)))
