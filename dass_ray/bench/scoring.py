"""Functional embeddings of many students: one masked pass, against building each student."""

import numpy as np
import torch

from dass_ray.bench.timing import in_turn
from dass_ray.models.masked import student_maps
from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet, seeded
from dass_ray.predictor.encode import noise
from dass_ray.space import Space, Specs

CLASSES = 10


def scoring(space: Space, students: int, rounds: int) -> dict[str, float]:
    """Students/s of both ways on one thread, their ratio, and the largest relative difference."""
    torch.set_num_threads(1)
    teacher = seeded(space, space.teacher, CLASSES, 0).eval()
    specs = space.sample(students, np.random.default_rng(0))
    image = noise(1, space.image_size)
    pair = in_turn(
        lambda: student_maps(teacher, specs, image),
        lambda: one_by_one(teacher, specs, image),
        rounds,
    )
    ours, plain = student_maps(teacher, specs, image), one_by_one(teacher, specs, image)
    return {
        "candidates_per_s": students / pair.ours,
        "plain_candidates_per_s": students / pair.plain,
        "ratio": pair.ratio,
        "relative_difference": float((ours - plain).abs().max() / plain.abs().max()),
    }


@torch.no_grad()
def one_by_one(teacher: ResNet, specs: Specs, image: torch.Tensor) -> torch.Tensor:
    """The plain way: build, remap and run each student; maps [N, B, C, H, W]."""
    space = teacher.space
    nets = (
        remap(teacher, ResNet(space, spec, teacher.classes)).eval() for spec in space.unpack(specs)
    )
    return torch.stack([net.features(image) for net in nets])
