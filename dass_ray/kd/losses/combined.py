"""The loss of a recipe: weighted KD losses and the true labels."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.data.source import UNLABELLED
from dass_ray.kd.losses import attention, decoupled, dist, hints, logits, relational
from dass_ray.kd.losses.stages import middle, pairs
from dass_ray.models.staged import Outputs
from dass_ray.recipe import KDRecipe


def combined(
    ours: Outputs,
    theirs: Outputs,
    labels: Tensor,
    recipe: KDRecipe,
    regressor: nn.Module | None = None,
) -> Tensor:
    """(1-a) (weighted sum of the KD losses) + a CE(labels), mean over the batch.

    labels: int64 [B], UNLABELLED for images whose CE is 0; regressor: of the hints, where they
    have a weight. Returns a scalar.
    """
    a = recipe.alpha
    hard = F.cross_entropy(ours.logits, labels, ignore_index=UNLABELLED, reduction="sum")
    return (1 - a) * _kd(ours, theirs, labels, recipe, regressor) + a * (hard / len(labels))


def _kd(
    ours: Outputs, theirs: Outputs, labels: Tensor, recipe: KDRecipe, regressor: nn.Module | None
) -> Tensor:
    w, t = recipe.losses, recipe.temperature
    both = pairs(ours.stages, theirs.stages) if w.of_stages else []
    terms = []
    if w.logits:
        terms.append(w.logits * logits.loss(ours.logits, theirs.logits, t))
    if w.decoupled:
        guessed = torch.where(labels == UNLABELLED, theirs.logits.argmax(dim=1), labels)
        terms.append(w.decoupled * decoupled.loss(ours.logits, theirs.logits, guessed, t))
    if w.dist:
        terms.append(w.dist * dist.loss(ours.logits, theirs.logits, t))
    if w.attention:
        terms.append(w.attention * attention.loss(both))
    if w.hints:
        assert regressor is not None
        terms.append(w.hints * hints.loss(middle(both), regressor))
    if w.relational:
        ends = (out.stages[-1].mean(dim=(2, 3)) for out in (ours, theirs))
        terms.append(w.relational * relational.loss(*ends))
    return torch.stack(terms).sum()
