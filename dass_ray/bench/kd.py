"""Steps of distillation: soft labels made once, against a teacher forward in every step."""

import numpy as np
import torch

from dass_ray.bench.timing import in_turn
from dass_ray.data.builtin import digits
from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import Dataset, Split
from dass_ray.kd.distill import distil, student
from dass_ray.kd.losses import distillation
from dass_ray.kd.train import train
from dass_ray.kd.views import soft_labels
from dass_ray.models.resnet import seeded
from dass_ray.recipe import DISTILL
from dass_ray.space import MICRO

IMAGES = 512


def kd(rounds: int) -> dict[str, float]:
    """Images/s of both ways in one epoch of a micro student on digits, on one thread.

    The soft labels' own cost is left out: all students of a task share it.
    """
    torch.set_num_threads(1)
    data = _data()
    recipe = DISTILL["micro"].model_copy(update={"epochs": 1, "min_steps": 0, "views": 1})
    teacher = seeded(MICRO, MICRO.teacher, 10, 0).eval()
    (spec,) = MICRO.unpack(MICRO.sample(1, np.random.default_rng(0)))
    labels = soft_labels(teacher, data, recipe)

    def plain() -> None:
        net = student(spec, teacher, recipe, 0)

        def loss(
            _view: int, chosen: torch.Tensor, ours: torch.Tensor, truth: torch.Tensor
        ) -> torch.Tensor:
            with torch.no_grad():
                theirs = teacher(data.train.images[chosen] / 255.0)
            return distillation(ours, theirs, truth, recipe)

        train(net, data, recipe, loss, seed=0, views=1)

    pair = in_turn(lambda: distil(spec, teacher, labels, data, recipe, 0), plain, rounds)
    return {
        "images_per_s": IMAGES / pair.ours,
        "plain_images_per_s": IMAGES / pair.plain,
        "ratio": pair.ratio,
    }


def _data() -> Dataset:
    images, labels = digits()
    train, held_out = Split(images[:IMAGES], labels[:IMAGES]), Split(images[-64:], labels[-64:])
    card = DatasetCard(
        name="digits", fingerprint="0" * 64, classes=tuple("0123456789"), image_size=16,
        counts={}, parts={}, source="built-in",
    )  # fmt: skip
    return Dataset.of(card, {"train": train, "validation": held_out, "test": held_out})
