"""Split conformal intervals: half widths that held on the validation tasks.

Source: Lei et al., "Distribution-free predictive inference for regression", JASA 2018, with locally
weighted residuals. They hold on a new task as far as it is like the validation tasks.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from dass_ray.predictor.model import Intervals, Predictor
from dass_ray.predictor.runs import TaskRuns

LEVELS = (0.5, 0.8, 0.9, 0.95)


def calibrated(predictor: Predictor, validation: Sequence[TaskRuns]) -> Predictor:
    """The predictor with the intervals that its residuals on these tasks ask for."""
    scores = [predictor.adapted(runs.task).score(runs.students) for runs in validation]
    std = torch.cat([found.std for found in scores])
    residuals = torch.cat(
        [(runs.accuracy - s.mean).abs() for runs, s in zip(validation, scores, strict=True)]
    )
    floor = max(float(std.mean()), 1e-6)
    ratios = (residuals / (std + floor)).tolist()
    factors = {level: quantile(ratios, level) for level in LEVELS}
    return replace(predictor, intervals=Intervals(floor, factors))


def quantile(ratios: Sequence[float], level: float) -> float:
    """The conformal quantile: rank ceil((n + 1) level) of n, or the largest where n is too few."""
    rank = math.ceil((len(ratios) + 1) * level)
    return sorted(ratios)[min(rank, len(ratios)) - 1]
