"""Several evaluations as one, as of predictors each of which left out other data sets.

Data sets are resampled, not students: what is asked is how it goes on the next data set.
Letters: D data sets.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from dass_ray.errors import UserError
from dass_ray.evaluation.bootstrap import RESAMPLES, interval, resamples
from dass_ray.evaluation.ours import OURS
from dass_ray.evaluation.rankings import Floats

NEEDED = ("task", "method", "spearman", "strata", "precision", "regret", "seconds")
_Rows = dict[str, dict[str, dict[str, Any]]]  # by method, by task


@dataclass(frozen=True)
class Pooled:
    """A method over all tasks. Data sets weigh alike; low and high are ends of 95%.

    strata, precision, regret: as in `evaluation.table.Row`, means, None where a task has none.
    ahead: our Spearman minus the method's on the same tasks; won: data sets where that is positive.
    """

    method: str
    tasks: int
    datasets: int
    spearman: float
    low: float
    high: float
    strata: float | None
    precision: float | None
    regret: float | None
    seconds: float
    ahead: float
    ahead_low: float
    ahead_high: float
    won: int


def pool(folders: Sequence[Path]) -> list[Pooled]:
    """The methods that every task was judged with, the best Spearman first.

    folders: as `dass-ray evaluate --out` writes them. UserError where one holds no evaluation, or a
    task is in two of them.
    """
    by_method: _Rows = defaultdict(dict)
    seen: dict[str, Path] = {}
    for folder in folders:
        rows = [row for row in _read(folder) if row["task"]]  # the mean over tasks has no name
        for row in rows:
            by_method[row["method"]][row["task"]] = row
        for task in sorted({row["task"] for row in rows}):
            if task in seen:
                raise UserError(f"{task} is in {seen[task]} and in {folder}: pool it once")
            seen[task] = folder
    found = [
        _pooled(method, mine, by_method[OURS])
        for method, mine in by_method.items()
        if len(mine) == len(seen)
    ]
    return sorted(found, key=lambda one: -one.spearman)


def _read(folder: Path) -> list[dict[str, Any]]:
    path = folder / "evaluation.parquet"
    try:
        rows: list[dict[str, Any]] = pq.read_table(path, columns=list(NEEDED)).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise UserError(
            f"cannot read {path}: give folders that `dass-ray evaluate --out` wrote ({error})"
        ) from None
    return rows


def _pooled(method: str, mine: dict[str, Any], ours: dict[str, Any]) -> Pooled:
    names = sorted({_dataset(task) for task in mine})
    drawn = resamples(len(names), RESAMPLES)

    def means(column: str, rows: dict[str, Any] = mine) -> Floats:
        """[D]: of each data set, over its teachers."""
        return np.array(
            [np.mean([rows[t][column] for t in mine if _dataset(t) == name]) for name in names]
        )

    def mean(column: str) -> float | None:
        value = float(means(column).mean())
        return None if np.isnan(value) else value

    spearman = means("spearman")
    ahead = means("spearman", ours) - spearman
    low, high = interval(spearman[drawn].mean(axis=1))
    ahead_low, ahead_high = interval(ahead[drawn].mean(axis=1))
    return Pooled(
        method=method, tasks=len(mine), datasets=len(names),
        spearman=float(spearman.mean()), low=low, high=high,
        strata=mean("strata"), precision=mean("precision"), regret=mean("regret"),
        seconds=float(means("seconds").mean()),
        ahead=float(ahead.mean()), ahead_low=ahead_low, ahead_high=ahead_high,
        won=int((ahead > 0).sum()),
    )  # fmt: skip


def _dataset(task: str) -> str:
    return task.rpartition("/")[0]
