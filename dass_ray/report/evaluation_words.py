"""What an evaluation says in words and cells, shared by terminal, Markdown and page."""

from collections.abc import Sequence

from dass_ray.evaluation.table import Evaluation, Row

GROUPS = ("ours", "ablation", "no KD", "KD on target")


def ordered(rows: Sequence[Row]) -> list[Row]:
    """By group, then the best Spearman first."""
    return sorted(rows, key=lambda row: (GROUPS.index(row.group), -row.spearman, row.method))


def means(found: Evaluation) -> list[Row]:
    """The rows of the mean over tasks."""
    return ordered([row for row in found.rows if not row.task])


def of_task(found: Evaluation, task: str) -> list[Row]:
    """The rows of one task."""
    return ordered([row for row in found.rows if row.task == task])


def tasks(found: Evaluation) -> list[str]:
    """The tasks, in the order in which they were given."""
    return list(dict.fromkeys(row.task for row in found.rows if row.task))


def ours(found: Evaluation) -> Row:
    """The predictor's mean over tasks."""
    return next(row for row in means(found) if row.method == found.ours)


def number(value: float | None, digits: int = 2) -> str:
    """A figure; a dash where there is none."""
    return "–" if value is None or value != value else f"{value:.{digits}f}"  # noqa: PLR0124


def span(value: float | None, low: float | None, high: float | None) -> str:
    """A figure with its interval: `0.53 (0.31 to 0.70)`."""
    if value is None:
        return "–"
    return f"{number(value)} ({number(low)} to {number(high)})"


def seconds(value: float) -> str:
    """A cost in seconds, with two digits that count."""
    return "0" if value == 0 else f"{value:.2g}" if value < 100 else f"{value:,.0f}"


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


def headline(found: Evaluation) -> str:
    """The main result in two sentences."""
    mine = ours(found)
    share = f", {mine.of_ceiling:.0%} of what KD noise lets be reached" if mine.of_ceiling else ""
    first = (
        f"On {len(tasks(found))} unseen tasks the predictor's Spearman is "
        f"{span(mine.spearman, mine.spearman_low, mine.spearman_high)}{share}."
    )
    rivals = [row for row in means(found) if row.group == "no KD"]
    if not rivals:
        return first
    best = max(rivals, key=lambda row: row.spearman)
    assert best.behind is not None, "a mean row is compared with ours"
    assert best.behind_low is not None, "a mean row is compared with ours"
    clear = "clear of" if best.behind_low > 0 else "not clear of"
    return (
        f"{first} The best of the baselines without KD on the target is {best.method} at "
        f"{number(best.spearman)}; the difference, "
        f"{span(best.behind, best.behind_low, best.behind_high)}, is {clear} zero."
    )


COLUMNS = (
    "method", "Spearman (95%)", "Kendall", "prec.", "regret", "in strata", "ceiling",
    "ours minus it", "covered", "s/student", "target KD s",
)  # fmt: skip


def cells(row: Row) -> tuple[str, ...]:
    """The texts of a row, in the order of COLUMNS."""
    return (
        row.method, span(row.spearman, row.spearman_low, row.spearman_high),
        number(row.kendall), number(row.precision), points(row.regret), number(row.strata),
        number(row.of_ceiling), span(row.behind, row.behind_low, row.behind_high),
        number(row.coverage), seconds(row.seconds), seconds(row.target_seconds),
    )  # fmt: skip


def legend(found: Evaluation) -> str:
    """What the columns mean."""
    return (
        f"prec.: precision@{found.k}; regret: of the best among the first {found.k}, in points of "
        "accuracy; in strata: Spearman among students of similar parameter count; ceiling: share "
        "of the reachable Spearman; covered: share of real accuracies in 80% intervals; intervals "
        "are 95% bootstrap over students."
    )
