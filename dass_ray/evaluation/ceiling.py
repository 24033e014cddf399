"""The noise ceiling: how well a perfect predictor could rank students whose accuracy is noisy."""

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from dass_ray.evaluation.bootstrap import RESAMPLES, interval, resamples
from dass_ray.evaluation.metrics import spearman
from dass_ray.evaluation.rankings import Floats, Truth


@dataclass(frozen=True)
class Ceiling:
    """Of one task: Spearman between KD seeds, and what can be reached against their mean.

    low, high: 95% bootstrap interval of `reachable`.
    """

    task: str
    seeds: int
    agreement: float
    reachable: float
    low: float
    high: float


def ceiling(truth: Truth) -> Ceiling | None:
    """The ceiling of a task; None where fewer than three students have two seeds or more.

    With r the mean Spearman of two seeds, the expected accuracy correlates with the mean over K
    seeds by sqrt(K r / (1 + (K - 1) r)): reliability of a mean (Spearman-Brown, 1910), and its root
    for a predictor without noise of its own (Spearman, 1904).
    """
    complete = truth.accuracy[:, ~np.isnan(truth.accuracy).any(axis=0)]
    seeds, n = complete.shape
    if seeds < 2 or n < 3:
        return None
    drawn = complete[:, resamples(n, RESAMPLES)]  # [K, R, N]
    reached = reachable(agreement(drawn), seeds)
    low, high = interval(reached)
    once = float(agreement(complete))
    return Ceiling(truth.task, seeds, once, float(reachable(np.array(once), seeds)), low, high)


def agreement(accuracy: Floats) -> Floats:
    """Mean Spearman over all pairs of seeds: [K, ..., N] -> [...]."""
    pairs = [spearman(a, b) for a, b in combinations(accuracy, 2)]
    mean: Floats = np.mean(pairs, axis=0)
    return mean


def reachable(agreement: Floats, seeds: int) -> Floats:
    """The Spearman that a perfect predictor has with the mean over seeds; 0 for seeds at odds."""
    r = np.clip(agreement, 0, 1)
    found: Floats = np.sqrt(seeds * r / (1 + (seeds - 1) * r))
    return found
