"""Bootstrap over students: the same resamples for every method, so that differences are paired."""

import numpy as np
from numpy.typing import NDArray

from dass_ray.evaluation.rankings import Floats

RESAMPLES, LEVEL = 1000, 0.95


def resamples(n: int, count: int, seed: int = 0) -> NDArray[np.int64]:
    """[count, n]: indices drawn with replacement, always the same for the same arguments."""
    return np.random.default_rng(seed).integers(n, size=(count, n))


def interval(values: Floats, level: float = LEVEL) -> tuple[float, float]:
    """The percentile interval of bootstrap values."""
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
