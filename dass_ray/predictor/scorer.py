"""Scoring the students of one task: specs in, predicted accuracies out, in this process."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dass_ray.cost import cost
from dass_ray.models.resnet import ResNet
from dass_ray.predictor.encode import encode_students, encode_task
from dass_ray.predictor.model import Predictor
from dass_ray.space import Specs


@dataclass(frozen=True)
class Scored:
    """Columns of N students: predicted accuracy in [0, 1], its std, parameters and FLOPs."""

    predicted: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    params: NDArray[np.int64]
    flops: NDArray[np.int64]


class TaskScorer:
    """A predictor adapted to one teacher, whose validation accuracy in [0, 1] is known."""

    def __init__(self, predictor: Predictor, teacher: ResNet, accuracy: float) -> None:
        self.teacher = teacher.eval()
        self.adapted = predictor.adapted(encode_task(teacher, accuracy))

    def score(self, specs: Specs) -> Scored:
        """Scores students [N, S, D] of the teacher's space."""
        scores = self.adapted.score(encode_students(self.teacher, specs))
        costs = cost(self.teacher.space, specs, self.teacher.classes)
        mean, std = (values.double().numpy() for values in (scores.mean, scores.std))
        return Scored(mean, std, costs.params, costs.flops)
