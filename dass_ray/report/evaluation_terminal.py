"""An evaluation for a terminal of 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from dass_ray.evaluation.table import Evaluation, Row
from dass_ray.report import evaluation_words as words

STYLES = {"ours": "bold", "ablation": "", "no KD": "", "KD on target": "dim"}


def show(found: Evaluation, console: Console, every_task: bool) -> None:
    """The headline and the mean over tasks; `every_task`: also a table for each."""
    if every_task:
        for task in words.tasks(found):
            console.print(_table(words.of_task(found, task), task, found.k))
    console.print(_table(words.means(found), "mean over tasks", found.k))
    console.print(words.ceilings(found), highlight=False)
    console.print(words.headline(found), highlight=False, style="bold")


def _table(rows: Sequence[Row], title: str, k: int) -> Table:
    out = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    out.add_column("method", overflow="fold")
    for name in ("Spearman (95%)", f"prec.@{k}", f"regret@{k}", "strata", "s/student"):
        out.add_column(name, justify="right", no_wrap=True)
    for i, row in enumerate(rows):
        ends = i + 1 < len(rows) and rows[i + 1].group != row.group
        out.add_row(
            row.method, words.span(row.spearman, row.spearman_low, row.spearman_high),
            words.number(row.precision), words.points(row.regret), words.number(row.strata),
            words.seconds(row.seconds), style=STYLES[row.group], end_section=ends,
        )  # fmt: skip
    return out
