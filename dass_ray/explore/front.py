"""Ranking by several objectives, all minimised, under constraints.

Source: Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm: NSGA-II", 2002: fronts,
crowding distance, and constrained domination.
Letters: N students, K objectives.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def order(values: Floats, violation: Floats, most: int) -> NDArray[np.int64]:
    """Indices of the `most` best, best first, of values [N, K] and violations [N] (0: feasible).

    Feasible ones come first, by front and then by crowding distance; then by violation.
    """
    feasible = np.flatnonzero(violation <= 0)
    ranked: list[NDArray[np.int64]] = []
    left = feasible
    while len(left) and sum(map(len, ranked)) < most:
        front = left[is_front(values[left])]
        ranked.append(front[np.argsort(-crowding(values[front]), kind="stable")])
        left = np.setdiff1d(left, front, assume_unique=True)
    outside = np.flatnonzero(violation > 0)
    ranked.append(outside[np.argsort(violation[outside], kind="stable")])
    return np.concatenate(ranked)[:most]


def is_front(values: Floats) -> NDArray[np.bool_]:
    """Which of values [N, K] no other one dominates; of equal ones, all."""
    if values.shape[1] == 1:
        least: NDArray[np.bool_] = values[:, 0] == values[:, 0].min(initial=np.inf)
        return least
    by_first = np.lexsort(values.T[::-1])
    if values.shape[1] == 2:
        return _is_front_of_two(values, by_first)
    kept = np.zeros(len(values), bool)
    front = np.empty((0, values.shape[1]))
    for i in by_first:  # none is dominated by a later one
        value = values[i]
        beaten = (front <= value).all(axis=1) & (front < value).any(axis=1)
        if not beaten.any():
            kept[i] = True
            front = np.vstack([front, value])
    return kept


def _is_front_of_two(values: Floats, by_first: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The same in one pass: along the first objective, what is no worse than all before."""
    first, second = values[by_first].T
    least = np.minimum.accumulate(second)
    better = np.append(True, second[1:] < least[:-1])
    equal = np.append(False, (first[1:] == first[:-1]) & (second[1:] == second[:-1]))
    start = np.maximum.accumulate(np.where(equal, 0, np.arange(len(values))))
    kept = np.empty(len(values), bool)
    kept[by_first] = better[start]  # equal ones share the fate of their first
    return kept


def crowding(values: Floats) -> Floats:
    """Crowding distance [N] within a front of values [N, K]; the ends have infinity."""
    out = np.zeros(len(values))
    for column in values.T:
        by = np.argsort(column, kind="stable")
        gaps = np.full(len(by), np.inf)
        span = column[by[-1]] - column[by[0]]
        if len(by) > 2:
            gaps[1:-1] = (column[by[2:]] - column[by[:-2]]) / (span or 1.0)
        out[by] += gaps
    return out
