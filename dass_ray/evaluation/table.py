"""From rankings and real KD to one table: every method, every metric, on every task and the mean.

Letters: N students, R repeats of a method, B bootstrap resamples.
"""

import io
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dass_ray.evaluation import metrics
from dass_ray.evaluation.bootstrap import RESAMPLES, interval, resamples
from dass_ray.evaluation.ceiling import Ceiling, ceiling
from dass_ray.evaluation.rankings import Floats, Group, Ranking, Truth

STRATUM = 8  # students of similar parameter count


@dataclass(frozen=True)
class Row:
    """One method on one task, or on the mean over tasks (task = "").

    Correlations in [-1, 1] with 95% bootstrap intervals; regret in accuracy shares; behind: the
    Spearman of ours less this method's; seconds: of scoring one student; None: nothing to say.
    """

    task: str
    method: str
    group: Group
    students: int
    spearman: float
    spearman_low: float
    spearman_high: float
    kendall: float
    precision: float
    regret: float
    strata: float
    of_ceiling: float | None
    behind: float | None
    behind_low: float | None
    behind_high: float | None
    coverage: float | None
    seconds: float
    target_seconds: float


@dataclass(frozen=True)
class Points:
    """Our predictions of one task's students beside real KD, with 80% intervals."""

    task: str
    predicted: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    real: tuple[float, ...]


@dataclass(frozen=True)
class Evaluation:
    """All that was found. ours: the predictor's method name; k: of precision and regret."""

    ours: str
    k: int
    rows: tuple[Row, ...]
    ceilings: tuple[Ceiling, ...]
    scatter: tuple[Points, ...]


@dataclass(frozen=True)
class _Judged:
    """A row of one task, and the Spearman of each bootstrap resample [B]."""

    row: Row
    drawn: Floats


def evaluation(
    truths: Sequence[Truth], rankings: Sequence[Ranking], ours: str, k: int = 5
) -> Evaluation:
    """Judges every ranking; k is at most half of the students that are ranked."""
    ceilings = {t.task: found for t in truths if (found := ceiling(t)) is not None}
    by_task = {t.task: t for t in truths}
    judged = [_judge(r, by_task[r.task], ceilings.get(r.task), k) for r in rankings]
    methods = list(dict.fromkeys(ranking.method for ranking in rankings))
    of_method = {m: [j for j in judged if j.row.method == m] for m in methods}
    means = [_mean(of_method[m], of_method[ours], ceilings) for m in methods]
    points = [_points(r, by_task[r.task]) for r in rankings if r.method == ours]
    return Evaluation(
        ours, k, (*means, *(j.row for j in judged)), tuple(ceilings.values()), tuple(points)
    )


def _judge(ranking: Ranking, truth: Truth, top: Ceiling | None, k: int) -> _Judged:
    scores, real, n = ranking.scores, truth.mean, len(truth.params)
    given = int(np.isnan(scores).sum(axis=1).max())
    k = max(1, min(k, (n - given) // 2))
    drawn = _drawn(scores, real, truth.task)
    found = float(metrics.spearman(scores, real).mean())
    low, high = interval(drawn)
    strata = metrics.within_strata(truth.params.astype(np.float64), STRATUM)
    row = Row(
        ranking.task, ranking.method, ranking.group, n - given, found, low, high,
        kendall=float(metrics.kendall(scores, real).mean()),
        precision=float(metrics.precision_at(k)(scores, real).mean()),
        regret=float(metrics.regret_at(k)(scores, real).mean()),
        strata=float(strata(scores, real).mean()) if not given else float("nan"),
        of_ceiling=found / top.reachable if top and top.reachable else None,
        behind=None, behind_low=None, behind_high=None,
        coverage=_coverage(ranking, real),
        seconds=ranking.seconds, target_seconds=ranking.target_seconds,
    )  # fmt: skip
    return _Judged(row, drawn)


def _drawn(scores: Floats, real: Floats, task: str) -> Floats:
    """Spearman [B] on bootstrap resamples of the task's students, means over repeats.

    They are the same for every method, and others for another task.
    """
    chosen = resamples(len(real), RESAMPLES, seed=zlib.crc32(task.encode()))
    each = [metrics.spearman(one[chosen], real[chosen]) for one in scores]
    mean: Floats = np.mean(each, axis=0)
    return mean


def _coverage(ranking: Ranking, real: Floats) -> float | None:
    if ranking.low is None or ranking.high is None:
        return None
    return metrics.coverage(ranking.low, ranking.high, real)


def _mean(mine: Sequence[_Judged], ours: Sequence[_Judged], ceilings: dict[str, Ceiling]) -> Row:
    """The mean over tasks; tasks weigh alike, and resamples are drawn within each."""
    rows, drawn = [j.row for j in mine], np.mean([j.drawn for j in mine], axis=0)
    low, high = interval(drawn)
    reach = [ceilings[row.task].reachable for row in rows if row.task in ceilings]
    reachable = float(np.mean(reach)) if len(reach) == len(rows) else 0.0
    common = [j for j in ours if j.row.task in {row.task for row in rows}]
    apart = np.mean([j.drawn for j in common], axis=0) - drawn
    behind_low, behind_high = interval(apart)
    covered = [row.coverage for row in rows if row.coverage is not None]
    spearman = _average(rows, "spearman")
    return Row(
        "", rows[0].method, rows[0].group, sum(row.students for row in rows),
        spearman, low, high,
        kendall=_average(rows, "kendall"),
        precision=_average(rows, "precision"),
        regret=_average(rows, "regret"),
        strata=_average(rows, "strata"),
        of_ceiling=spearman / reachable if reachable else None,
        behind=_average([j.row for j in common], "spearman") - spearman,
        behind_low=behind_low, behind_high=behind_high,
        coverage=float(np.mean(covered)) if covered else None,
        seconds=_average(rows, "seconds"), target_seconds=_average(rows, "target_seconds"),
    )  # fmt: skip


def _average(rows: Sequence[Row], name: str) -> float:
    return float(np.mean([getattr(row, name) for row in rows]))


def _points(ranking: Ranking, truth: Truth) -> Points:
    assert ranking.low is not None, "ours has intervals"
    assert ranking.high is not None, "ours has intervals"
    columns = (ranking.scores[0], ranking.low, ranking.high, truth.mean)
    return Points(truth.task, *(tuple(map(float, column)) for column in columns))


def to_parquet(found: Evaluation) -> bytes:
    """The rows as one Parquet file in memory."""
    buffer = io.BytesIO()
    table = pa.Table.from_pylist([asdict(row) for row in found.rows])
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()
