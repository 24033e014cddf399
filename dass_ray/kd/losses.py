"""Losses of logits. Letters: B images, K classes."""

import torch.nn.functional as F
from torch import Tensor

from dass_ray.recipe import KDRecipe


def distillation(student: Tensor, teacher: Tensor, labels: Tensor, recipe: KDRecipe) -> Tensor:
    """(1-a) T^2 CE(softmax(teacher/T), softmax(student/T)) + a CE(labels), mean over the batch.

    student, teacher: logits [B, K]; labels: int64 [B]; returns a scalar.
    Source: Hinton et al., 2015; a and T as in Lee et al., ICLR 2023.
    """
    t, a = recipe.temperature, recipe.alpha
    soft = F.cross_entropy(student / t, F.softmax(teacher / t, dim=1))
    return (1 - a) * t**2 * soft + a * F.cross_entropy(student, labels)
