"""What an evaluation says in words and cells, shared by terminal, Markdown and page."""

import math
from collections.abc import Sequence

from dass_ray.evaluation.table import Evaluation, Row

GROUPS = {
    "ours": "the predictor",
    "ablation": "its ablations",
    "no KD": "without KD on the target",
    "KD on target": "with KD on the target",
}
"""What the groups of methods are called, in the order in which they are shown."""
STUDENTS = 1000
"""Costs are told for ranking so many."""
NONE = "–"


def ordered(rows: Sequence[Row]) -> list[Row]:
    """By group, then the best Spearman first."""
    order = list(GROUPS)
    return sorted(rows, key=lambda row: (order.index(row.group), -row.spearman, row.method))


def means(found: Evaluation) -> list[Row]:
    """The rows of the mean over tasks."""
    return ordered([row for row in found.rows if not row.task])


def of_task(found: Evaluation, task: str) -> list[Row]:
    """The rows of one task."""
    return ordered([row for row in found.rows if row.task == task])


def by_group(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """The groups that have rows, in the order of GROUPS."""
    each = {group: [row for row in rows if row.group == group] for group in GROUPS}
    return {group: mine for group, mine in each.items() if mine}


def tasks(found: Evaluation) -> list[str]:
    """The tasks, in the order in which they were given."""
    return list(dict.fromkeys(row.task for row in found.rows if row.task))


def ours(found: Evaluation) -> Row:
    """The predictor's mean over tasks."""
    return next(row for row in means(found) if row.method == found.ours)


def number(value: float | None) -> str:
    """A figure of two places, `−0.24`; a dash where there is none."""
    if value is None or math.isnan(value):
        return NONE
    return f"{round(value, 2) + 0.0:.2f}".replace("-", "−")  # 0.0 added makes -0.0 a plain 0.0


def span(value: float | None, low: float | None, high: float | None) -> str:
    """A figure with its interval: `0.53 (0.31 to 0.70)`."""
    if value is None:
        return NONE
    return f"{number(value)} ({number(low)} to {number(high)})"


def seconds(value: float) -> str:
    """A cost in seconds, with two digits that count."""
    if value == 0:
        return "0"
    return f"{value:.2g}" if value < 99.5 else f"{value:,.0f}"  # 99.5 would be 1e+02


def spent(row: Row) -> float:
    """Seconds to rank STUDENTS students, KD on the target included."""
    return STUDENTS * row.seconds + row.target_seconds


def points(share: float) -> str:
    """Accuracy shares as percentage points."""
    return f"{100 * share:.2f}"


def ceilings(found: Evaluation) -> str:
    """The noise ceiling in a sentence."""
    if not found.ceilings:
        return "No task has two KD seeds: the noise ceiling is unknown."
    parts = [
        f"{c.task}: {c.seeds} seeds agree at {number(c.agreement)}, so that "
        f"{span(c.reachable, c.low, c.high)} can be reached"
        for c in found.ceilings
    ]
    return "Noise ceiling (Spearman with the mean over KD seeds). " + "; ".join(parts) + "."


def reachable(found: Evaluation) -> float | None:
    """The Spearman that can be reached in the mean over tasks; None where a task has no ceiling."""
    if len(found.ceilings) < len(tasks(found)):
        return None
    return sum(c.reachable for c in found.ceilings) / len(found.ceilings)


def headline(found: Evaluation) -> str:
    """The main result in two sentences."""
    mine, seen = ours(found), len(tasks(found))
    share = f", {mine.of_ceiling:.0%} of what KD noise lets be reached" if mine.of_ceiling else ""
    first = (
        f"On {seen} unseen task{'s' * (seen > 1)} the predictor's Spearman is "
        f"{span(mine.spearman, mine.spearman_low, mine.spearman_high)}{share}."
    )
    best = rival(found)
    if best is None:
        return first
    assert best.behind_low is not None, "a mean row is compared with ours"
    assert best.behind_high is not None, "a mean row is compared with ours"
    clear = "clear of" if best.behind_low > 0 or best.behind_high < 0 else "not clear of"
    return (
        f"{first} The best of the baselines without KD on the target is {best.method} at "
        f"{number(best.spearman)}; the difference, "
        f"{span(best.behind, best.behind_low, best.behind_high)}, is {clear} zero."
    )


def rival(found: Evaluation) -> Row | None:
    """The best of the baselines without KD on the target, where there is one."""
    return next((row for row in means(found) if row.group == "no KD"), None)


COLUMNS = (
    "method", "Spearman (95%)", "Kendall", "prec.", "regret", "in strata", "ceiling",
    "ours minus it", "covered", "s/student", "KD s",
)  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, in the order of COLUMNS."""
    behind = NONE if row.group == "ours" else span(row.behind, row.behind_low, row.behind_high)
    return (
        row.method, span(row.spearman, row.spearman_low, row.spearman_high),
        number(row.kendall), number(row.precision), points(row.regret), number(row.strata),
        number(row.of_ceiling), behind, number(row.coverage), seconds(row.seconds),
        seconds(row.target_seconds),
    )  # fmt: skip


def table(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The header, then the cells of each row; columns in which no row has a figure are left out."""
    columns = zip(COLUMNS, *map(cells, rows), strict=True)
    return list(zip(*(c for c in columns if set(c[1:]) != {NONE}), strict=True))


def legend(found: Evaluation) -> str:
    """What the columns mean."""
    return (
        f"prec.: share of the first {found.k} that are among the really best {found.k}; regret: "
        f"what the best of the first {found.k} lacks to the really best, in points of accuracy; in "
        "strata: Spearman among students of similar parameter count; ceiling: share of the "
        "reachable Spearman; ours minus it: difference in Spearman; covered: share of real "
        "accuracies in 80% intervals; s/student: seconds to score one; KD s: seconds of "
        "distillation on the target that were given. Intervals are 95% bootstrap over students."
    )
