"""Distilling one student from its teacher: one run."""

from dataclasses import dataclass

import torch

from dass_ray.data.dataset import Dataset
from dass_ray.kd.checkpoint import Checkpoints
from dass_ray.kd.lesson import Lesson
from dass_ray.kd.train import OnEpoch, accuracy, train
from dass_ray.kd.trained import Trained
from dass_ray.kd.views import SoftLabels
from dass_ray.models.network import StagedNetwork, seeded
from dass_ray.models.remap import remap
from dass_ray.recipe import KDRecipe
from dass_ray.space import Spec


@dataclass(frozen=True)
class Distilled:
    """A distilled student; accuracies in [0, 1], the test split's with the final weights."""

    net: StagedNetwork
    trained: Trained
    test: float | None  # None where the run diverged


def distil(
    spec: Spec,
    teacher: StagedNetwork,
    labels: SoftLabels,
    dataset: Dataset,
    recipe: KDRecipe,
    seed: int,
    *,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
) -> Distilled:
    """Trains the student `spec` on the teacher's soft labels and the true ones.

    labels: `soft_labels(teacher, dataset, recipe)`; teacher and data set on one device.
    """
    net = student(spec, teacher, recipe, seed)
    if dataset.train.images.device.type == "cpu":  # narrow convolutions take 4 to 11% less time
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    lesson = Lesson(net, teacher, labels, dataset, recipe, seed)
    trained = train(
        lesson.learner, dataset, recipe, lesson.loss, seed=seed, views=len(labels.logits),
        checkpoints=checkpoints, on_epoch=on_epoch,
    )  # fmt: skip
    test = accuracy(net, dataset, dataset.test) if trained.status == "ok" else None
    net = net.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    return Distilled(net.eval(), trained, test)


def student(spec: Spec, teacher: StagedNetwork, recipe: KDRecipe, seed: int) -> StagedNetwork:
    """The student's network before distillation, on the teacher's device."""
    net = seeded(teacher.space, spec, teacher.classes, seed).to(teacher.head.weight.device)
    return net if recipe.start == "random" else remap(teacher, net, recipe.start)
