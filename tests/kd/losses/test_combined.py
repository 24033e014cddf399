import math

import pytest
import torch
import torch.nn.functional as F

from dass_ray.data.source import UNLABELLED
from dass_ray.kd.losses import attention, decoupled, dist, hints, logits, relational
from dass_ray.kd.losses.combined import combined
from dass_ray.models.staged import Outputs
from dass_ray.recipe import KDRecipe, Losses

from ...make import KD
from .make import normal

LABELS = torch.tensor([0, 1, 2, 4])
OURS = Outputs(normal(4, 5), (normal(4, 2, 6, 6), normal(4, 3, 3, 3)))
THEIRS = Outputs(normal(4, 5, seed=1), (normal(4, 6, 6, 6, seed=1), normal(4, 7, 3, 3, seed=1)))
BOTH = list(zip(OURS.stages, THEIRS.stages, strict=True))
REGRESSOR = hints.regressor(BOTH[0], 0)
T = 3.0
ALONE = {
    "logits": logits.loss(OURS.logits, THEIRS.logits, T),
    "decoupled": decoupled.loss(OURS.logits, THEIRS.logits, LABELS, T),
    "dist": dist.loss(OURS.logits, THEIRS.logits, T),
    "attention": attention.loss(BOTH),
    "hints": hints.loss(BOTH[0], REGRESSOR),
    "relational": relational.loss(BOTH[1][0].mean(dim=(2, 3)), BOTH[1][1].mean(dim=(2, 3))),
}


def recipe(alpha, **weights):
    changed = {"alpha": alpha, "temperature": T, "losses": weights}
    return KDRecipe(**KD.model_dump() | changed)


def found(alpha, labels=LABELS, **weights):
    return combined(OURS, THEIRS, labels, recipe(alpha, **weights), REGRESSOR).item()


def test_by_hand():
    """At T = 2 the teacher's probabilities are 1/4 and 3/4, the student's 1/3 and 2/3."""
    teacher = Outputs(torch.tensor([[0.0, 2 * math.log(3)]]), ())
    student = Outputs(torch.tensor([[0.0, 2 * math.log(2)]]), ())
    soft = 1 / 4 * math.log(3) + 3 / 4 * math.log(3 / 2)
    hard = math.log(5)  # at T = 1 our probabilities are 1/5 and 4/5, and the label is the first
    settings = KDRecipe(**KD.model_dump() | {"alpha": 0.3, "temperature": 2.0})
    loss = combined(student, teacher, torch.tensor([0]), settings)
    assert loss.item() == pytest.approx(0.7 * 4 * soft + 0.3 * hard, rel=1e-6)


@pytest.mark.parametrize("name", Losses.model_fields)
def test_each_loss_alone(name):
    assert found(0, **{name: 2.5}) == pytest.approx(2.5 * ALONE[name].item(), rel=1e-5)


def test_all_together():
    weights = {name: 0.5 + i for i, name in enumerate(ALONE)}
    kd = sum(weights[name] * value.item() for name, value in ALONE.items())
    hard = F.cross_entropy(OURS.logits, LABELS).item()
    assert found(0.25, **weights) == pytest.approx(0.75 * kd + 0.25 * hard, rel=1e-5)


def test_ends_of_alpha():
    assert found(1, logits=1) == pytest.approx(F.cross_entropy(OURS.logits, LABELS).item())
    assert found(0, logits=1) == found(0, LABELS.flip(0), logits=1)


def test_unlabelled_images_have_the_kd_losses_alone():
    some = torch.tensor([0, UNLABELLED, 2, UNLABELLED])
    none = torch.full((4,), UNLABELLED)
    hard = F.cross_entropy(OURS.logits[[0, 2]], some[[0, 2]], reduction="sum").item() / 4
    soft = ALONE["logits"].item()
    assert found(0.25, some, logits=1) == pytest.approx(0.75 * soft + 0.25 * hard, rel=1e-5)
    assert found(0.25, none, logits=1) == pytest.approx(0.75 * soft, rel=1e-5)


def test_the_true_class_of_an_unlabelled_image_is_the_teachers():
    guessed = THEIRS.logits.argmax(dim=1)
    some = torch.where(torch.tensor([True, False, True, False]), guessed, UNLABELLED)
    assert found(0, some, decoupled=1) == found(0, guessed, decoupled=1)
    assert found(0, guessed, decoupled=1) != found(0, LABELS, decoupled=1)
