"""Distilling students: shared soft labels and whole batches, against the plain way.

The plain way runs the teacher in every step and transforms image after image in a DataLoader.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Pictures

from dass_ray.bench.timing import in_turn
from dass_ray.data.builtin import digits
from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import Dataset, Split
from dass_ray.kd.distill import distil, student
from dass_ray.kd.losses import logits
from dass_ray.kd.train import accuracy, rate, steps_per_epoch
from dass_ray.kd.views import soft_labels
from dass_ray.models.network import StagedNetwork, seeded
from dass_ray.recipe import DISTILL, KDRecipe
from dass_ray.sampling import first_over_cost
from dass_ray.space import MICRO, Spec

IMAGES = 1024
STUDENTS = 4  # evenly over cost, as `collect` draws them


def kd(rounds: int) -> dict[str, float]:
    """Images/s of both ways in one epoch of each micro student on digits, on one thread.

    Students, batches, loss, optimiser and schedule are the same in both. The soft labels' own
    cost is left out, since all students of a task share it.
    """
    torch.set_num_threads(1)
    data = _data()
    recipe = DISTILL["micro"].model_copy(update={"epochs": 1, "min_steps": 0, "views": 1})
    teacher = seeded(MICRO, MICRO.teacher, 10, 0).eval()
    specs = sorted(first_over_cost(MICRO, 0, STUDENTS), key=str)
    labels = soft_labels(teacher, data, recipe)
    pairs = [
        in_turn(
            lambda s=spec: distil(s, teacher, labels, data, recipe, 0),  # type: ignore[misc]
            lambda s=spec: plain(s, teacher, data, recipe),  # type: ignore[misc]
            rounds,
        )
        for spec in specs
    ]
    ours, theirs = sum(pair.ours for pair in pairs), sum(pair.plain for pair in pairs)
    ratios = sorted(pair.ratio for pair in pairs)
    return {
        "images_per_s": STUDENTS * IMAGES / ours,
        "plain_images_per_s": STUDENTS * IMAGES / theirs,
        "ratio": theirs / ours,
        "ratio_of_one_student_min": ratios[0],
        "ratio_of_one_student_max": ratios[-1],
    }


class _OneByOne(Pictures[tuple[Tensor, int]]):
    """Images that are cropped, flipped and normalised each on its own, as by torchvision."""

    def __init__(self, data: Dataset, recipe: KDRecipe, rng: np.random.Generator) -> None:
        pixels: NDArray[np.uint8] = data.train.images.permute(0, 2, 3, 1).numpy()
        self.images = [Image.fromarray(image) for image in pixels]
        self.labels, self.recipe, self.rng = data.train.labels.tolist(), recipe, rng
        self.mean, self.std = data.mean[:, None, None], data.std[:, None, None]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image, padding = self.images[index], self.recipe.crop_padding
        left, top = self.rng.integers(2 * padding + 1, size=2).tolist()
        image = ImageOps.expand(image, padding).crop(
            (left, top, left + image.width, top + image.height)
        )
        if self.recipe.flip and self.rng.random() < 0.5:
            image = ImageOps.mirror(image)
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1).float() / 255
        return (pixels - self.mean) / self.std, self.labels[index]


def plain(spec: Spec, teacher: StagedNetwork, data: Dataset, recipe: KDRecipe) -> None:
    """One epoch, with validation and test, as most KD code has it."""
    net = student(spec, teacher, recipe, 0).train()
    pictures = _OneByOne(data, recipe, np.random.default_rng(0))
    loader = DataLoader(pictures, recipe.batch_size, shuffle=True, drop_last=True)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=recipe.lr, momentum=recipe.momentum, nesterov=True,
        weight_decay=recipe.weight_decay,
    )  # fmt: skip
    steps = steps_per_epoch(len(data.train), recipe)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, recipe))
    for images, truth in loader:
        with torch.no_grad():
            theirs = teacher(images)
        ours = net(images)
        soft = logits.loss(ours, theirs, recipe.temperature)
        loss = (1 - recipe.alpha) * soft + recipe.alpha * F.cross_entropy(ours, truth)
        optimizer.zero_grad()
        loss.backward()
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(net.parameters(), recipe.clip_norm)
        optimizer.step()
        schedule.step()
    for split in (data.validation, data.test):
        accuracy(net, data, split)


def _data() -> Dataset:
    images, labels = digits()
    train, held_out = Split(images[:IMAGES], labels[:IMAGES]), Split(images[-64:], labels[-64:])
    card = DatasetCard(
        name="digits", fingerprint="0" * 64, classes=tuple("0123456789"), image_size=16,
        counts={}, parts={}, source="built-in",
    )  # fmt: skip
    return Dataset.of(card, {"train": train, "validation": held_out, "test": held_out})
