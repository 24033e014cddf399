"""Training a teacher, and telling whether it learned anything."""

import math
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.data.dataset import Dataset, Split
from dass_ray.kd.checkpoint import Checkpoints
from dass_ray.kd.train import OnEpoch, Shown, accuracy, train
from dass_ray.kd.trained import Trained
from dass_ray.models.network import StagedNetwork, seeded
from dass_ray.recipe import TeacherRecipe
from dass_ray.space import Space


@dataclass(frozen=True)
class Teacher:
    """A trained network with its accuracy on the validation and test splits, in [0, 1]."""

    net: StagedNetwork
    trained: Trained
    validation: float
    test: float


def train_teacher(
    space: Space,
    dataset: Dataset,
    recipe: TeacherRecipe,
    seed: int,
    *,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
) -> Teacher:
    """Trains the space's largest network from scratch on a data set of the space's image size.

    Unlabelled images are left out.
    """
    net = seeded(space, space.teacher, len(dataset.card.classes), seed)
    net.to(dataset.device)

    def loss(net: nn.Module, shown: Shown) -> Tensor:
        return F.cross_entropy(
            net(shown.images), shown.labels, label_smoothing=recipe.label_smoothing
        )

    trained = train(
        net, dataset.labelled(), recipe, loss,
        seed=seed, checkpoints=checkpoints, on_epoch=on_epoch,
    )  # fmt: skip
    return Teacher(
        net.eval(),
        trained,
        accuracy(net, dataset, dataset.validation),
        accuracy(net, dataset, dataset.test),
    )


def near_chance(validation: float, chance: float, images: int) -> bool:
    """Whether an accuracy on `images` validation images is hardly above guessing.

    chance: share of the most frequent class. Hardly: less than three standard errors, or than a
    twentieth of the way to 1, above it; half of that way is always enough.
    """
    error = math.sqrt(chance * (1 - chance) / images)
    above = min(max(3 * error, 0.05 * (1 - chance)), 0.5 * (1 - chance))
    return validation < chance + above


def chance(split: Split) -> float:
    """The accuracy of guessing a split's most frequent class."""
    return float(split.labels.bincount().max()) / len(split)
