"""What a comparison says: every way, over all limits, and how sure its distance to ours is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dass_ray.contest.run import OURS, Entry
from dass_ray.report.statistics import LEVEL, RESAMPLES, Floats


@dataclass(frozen=True)
class Line:
    """One way over all limits, which weigh alike. Accuracies on the test split, in [0, 1].

    mean: of its students, of a search by KD as many as ours has, the best on validation; best: of
    the student that is best on validation. ours_more: our mean less this one, with a 95% interval
    by resampling students within each limit.
    """

    way: str
    mean: float
    best: float
    ours_more: float
    low: float
    high: float
    seconds: float  # of choosing, on one core
    kd_seconds: float


def lines(entries: Sequence[Entry]) -> list[Line]:
    """A line for each way, in their order."""
    ways = dict.fromkeys(entry.way for entry in entries)
    ours = [entry for entry in entries if entry.way == OURS]
    return [_line([e for e in entries if e.way == way], ours) for way in ways]


def best_first(entry: Entry, n: int) -> Floats:
    """Test accuracies of the n students that are best on validation; of fewer, all."""
    order = np.argsort(-np.asarray(entry.validation), kind="stable")
    found: Floats = np.asarray(entry.test)[order[:n]]
    return found


def _line(mine: Sequence[Entry], ours: Sequence[Entry]) -> Line:
    pairs = [
        (best_first(a, len(a.test)), best_first(b, len(a.test)))
        for a, b in zip(ours, mine, strict=True)
    ]
    low, high = _interval(pairs) if mine != ours else (0.0, 0.0)
    means = [float(b.mean()) for _, b in pairs]
    return Line(
        mine[0].way,
        float(np.mean(means)),
        float(np.mean([b[0] for _, b in pairs])),
        float(np.mean([a.mean() - b.mean() for a, b in pairs])),
        low,
        high,
        sum(entry.seconds for entry in mine),
        sum(entry.kd_seconds for entry in mine),
    )


def _interval(pairs: Sequence[tuple[Floats, Floats]]) -> tuple[float, float]:
    rng = np.random.default_rng(0)
    drawn = np.mean(
        [_means(a, rng) - _means(b, rng) for a, b in pairs],
        axis=0,
    )
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _means(values: Floats, rng: np.random.Generator) -> Floats:
    drawn: Floats = rng.choice(values, (RESAMPLES, len(values))).mean(axis=1)
    return drawn
