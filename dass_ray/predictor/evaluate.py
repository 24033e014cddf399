"""Rank correlation of predictions with real KD, beside what needs no predictor at all."""

from dataclasses import dataclass

from numpy.typing import ArrayLike
from scipy.stats import kendalltau, spearmanr

from dass_ray.predictor.meta_train import TaskRuns
from dass_ray.predictor.model import Predictor


@dataclass(frozen=True)
class Agreement:
    """How a ranking agrees with real KD on one task of n students."""

    task: str
    ranking: str
    n: int
    spearman: float
    kendall: float


def evaluate(predictor: Predictor, runs: TaskRuns) -> list[Agreement]:
    """The predictor, parameter count and FLOPs on the same students of one task."""
    rankings: dict[str, ArrayLike] = {
        "predictor": predictor.adapted(runs.task).score(runs.students).mean.numpy(),
        "parameters": runs.costs.params,
        "FLOPs": runs.costs.flops,
    }
    real = runs.accuracy.numpy()
    return [
        Agreement(
            runs.name, name, len(real),
            float(spearmanr(values, real).statistic), float(kendalltau(values, real).statistic),
        )
        for name, values in rankings.items()
    ]  # fmt: skip
