"""How well scores agree with real accuracy, over any number of leading dimensions at once.

Letters: N students. Arrays are [..., N]; a NaN in either leaves that student out. Where all scores
or all accuracies are equal, nothing is ranked and a correlation is 0.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.stats import kendalltau, rankdata

from dass_ray.evaluation.rankings import Floats

Metric = Callable[[Floats, Floats], Floats]
"""(scores [..., N], real [..., N]) -> [...]."""


def spearman(scores: Floats, real: Floats) -> Floats:
    """Pearson's correlation of ranks, ties sharing their mean rank."""
    scores, real = _paired(scores, real)
    return pearson(_ranks(scores), _ranks(real))


def _paired(scores: Floats, real: Floats) -> tuple[Floats, Floats]:
    """Both in one shape, NaN in the same places."""
    scores, real = np.broadcast_arrays(scores, real)
    missing = np.isnan(scores) | np.isnan(real)
    return np.where(missing, np.nan, scores), np.where(missing, np.nan, real)


def _ranks(values: Floats) -> Floats:
    ranks: Floats = rankdata(values, axis=-1, nan_policy="omit").astype(np.float64)
    return np.where(np.isnan(values), np.nan, ranks)


def pearson(a: Floats, b: Floats) -> Floats:
    """Correlation of [..., N] and [..., N] with NaN in the same places; 0 where one is constant."""
    a, b = _centred(a), _centred(b)
    scale = np.sqrt(np.nansum(a * a, axis=-1) * np.nansum(b * b, axis=-1))
    found: Floats = np.nansum(a * b, axis=-1) / np.where(scale > 1e-12, scale, np.inf)
    return found


def _centred(values: Floats) -> Floats:
    count = np.maximum(1, (~np.isnan(values)).sum(axis=-1, keepdims=True))
    centred: Floats = values - np.nansum(values, axis=-1, keepdims=True) / count
    return centred


def kendall(scores: Floats, real: Floats) -> Floats:
    """Kendall's tau-b, which corrects for ties."""
    scores, real = _paired(scores, real)
    found = [
        _tau(s[~np.isnan(s)], r[~np.isnan(s)])
        for s, r in zip(
            scores.reshape(-1, scores.shape[-1]), real.reshape(-1, real.shape[-1]), strict=True
        )
    ]
    return np.array(found).reshape(scores.shape[:-1])


def _tau(scores: Floats, real: Floats) -> float:
    if len(set(scores)) < 2 or len(set(real)) < 2:
        return 0.0
    return float(kendalltau(scores, real).statistic)


def precision_at(k: int) -> Metric:
    """Share of the k students of the highest score that are among the k really best."""

    def metric(scores: Floats, real: Floats) -> Floats:
        scores, real = _paired(scores, real)
        chosen, best = _top(scores, k), _top(real, k)
        hits: Floats = (chosen[..., :, None] == best[..., None, :]).sum(axis=(-2, -1)) / k
        return hits

    return metric


def regret_at(k: int) -> Metric:
    """Accuracy of the really best student, less that of the best among the k of highest score."""

    def metric(scores: Floats, real: Floats) -> Floats:
        scores, real = _paired(scores, real)
        taken = np.take_along_axis(real, _top(scores, k), axis=-1)
        regret: Floats = np.nanmax(real, axis=-1) - np.nanmax(taken, axis=-1)
        return regret

    return metric


def _top(values: Floats, k: int) -> NDArray[np.int64]:
    """Indices [..., k] of the largest values; of equal ones the first."""
    last = np.where(np.isnan(values), np.inf, -values)
    order: NDArray[np.int64] = np.argsort(last, axis=-1, kind="stable")
    return order[..., :k]


def within_strata(params: Floats, size: int) -> Metric:
    """Mean Spearman within strata of students of similar parameter count.

    params [N]; strata hold about `size` students, their sizes differ by at most one.
    """
    n = len(params)
    order = np.argsort(params, kind="stable")
    strata = np.array_split(order, max(1, round(n / size)))

    def metric(scores: Floats, real: Floats) -> Floats:
        each = [spearman(scores[..., s], real[..., s]) for s in strata]
        mean: Floats = np.mean(each, axis=0)
        return mean

    return metric


def coverage(low: Floats, high: Floats, real: Floats) -> float:
    """Share of real accuracies [N] within their intervals."""
    return float(np.mean((low <= real) & (real <= high)))
