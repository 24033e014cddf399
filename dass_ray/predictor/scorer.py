"""Scoring the students of one task: specs in, predicted accuracies out, in this process."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dass_ray.cost import cost
from dass_ray.data.dataset import Dataset
from dass_ray.errors import UserError
from dass_ray.models.network import StagedNetwork
from dass_ray.predictor.encode import TaskEncoder
from dass_ray.predictor.model import Predictor, Verified
from dass_ray.space import Specs

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
COMPARED, AGREEMENT = 128, 0.999  # random students, and the rank correlation that a type must keep


@dataclass(frozen=True)
class Scored:
    """Columns of N students: predicted accuracy in [0, 1], its std, parameters and FLOPs."""

    predicted: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    params: NDArray[np.int64]
    flops: NDArray[np.int64]


class TaskScorer:
    """A predictor adapted to one teacher, whose validation accuracy in [0, 1] is known.

    dataset: of the teacher's image size and on its device; needed where `encodings.sees_images`.
    soft: see TaskEncoder.
    """

    def __init__(
        self,
        predictor: Predictor,
        teacher: StagedNetwork,
        accuracy: float,
        dataset: Dataset | None = None,
        dtype: torch.dtype = torch.float32,
        soft: Tensor | None = None,
    ) -> None:
        self.predictor, self.teacher = predictor, teacher.eval()
        self.encoder = TaskEncoder(
            self.teacher, accuracy, predictor.space, predictor.net.encodings, dataset, soft=soft
        )
        self.adapted = predictor.adapted(self.encoder.task)
        if dtype != torch.float32:
            self._change_to(dtype)

    def _change_to(self, dtype: torch.dtype) -> None:
        """Scores in another type from now on; UserError where that changes the ranking."""
        from scipy.stats import spearmanr  # noqa: PLC0415 - 0.6 s that most actors need not pay

        specs = self.teacher.space.sample(COMPARED, np.random.default_rng(1))
        before = self.score(specs).predicted
        self.encoder = replace(self.encoder, dtype=dtype)
        self.adapted = self.predictor.adapted(self.encoder.task)
        agree = spearmanr(before, self.score(specs).predicted).statistic
        if not agree > AGREEMENT:
            raise UserError(
                f"{str(dtype).removeprefix('torch.')} ranks students otherwise than float32 "
                f"(Spearman {agree:.4f}): set precision: float32"
            )

    def readapt(self, specs: Specs, accuracy: NDArray[np.float64]) -> None:
        """Adapts anew, to the teacher and to verified students [N, S, D].

        accuracy: their validation accuracy [N] in [0, 1]; N = 0 means the teacher alone.
        """
        known = torch.from_numpy(accuracy).float()
        verified = Verified(self.encoder.students(specs), known) if len(specs) else None
        self.adapted = self.predictor.adapted(self.encoder.task, verified)

    def score(self, specs: Specs) -> Scored:
        """Scores students [N, S, D] of the teacher's space."""
        scores = self.adapted.score(self.encoder.students(specs))
        costs = cost(self.teacher.space, specs, self.teacher.classes)
        mean, std = (values.double().numpy() for values in (scores.mean, scores.std))
        return Scored(mean, std, costs.params, costs.flops)
