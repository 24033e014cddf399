"""Several searches for a terminal."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from dass_ray.report.gather import SearchReport
from dass_ray.report.wording import count, duration, percent


def table(reports: Sequence[SearchReport]) -> Table:
    """A row for each search: its best student, and what it cost to find."""
    out = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True)
    out.caption = "best student of each by validation accuracy; test accuracy is for reporting only"
    for name in ("search", "student"):
        out.add_column(name, overflow="fold", min_width=8)
    for name in ("params", "FLOPs", "valid.", "test", "scored", "KD"):
        out.add_column(name, justify="right", no_wrap=True)
    for report in reports:
        out.add_row(*_cells(report))
    return out


def _cells(report: SearchReport) -> list[str | Text]:
    cost: list[str | Text] = [f"{len(report.candidates):,}", duration(report.kd_seconds)]
    best = report.best
    if best is None:
        return [Text(report.card.id), "none verified yet", "–", "–", "–", "–", *cost]
    choice = best.choice
    return [
        Text(report.card.id), Text(choice.spec), count(choice.params), count(choice.flops),
        percent(best.validation), percent(best.test), *cost,
    ]  # fmt: skip
