"""An evaluation for a terminal of 80 columns."""

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dass_ray.evaluation.table import Evaluation, Row
from dass_ray.report import evaluation_words as words

STYLES = {"ours": "bold", "ablation": "", "no KD": "", "KD on target": "dim"}


def show(found: Evaluation, console: Console, every_task: bool) -> None:
    """The headline and the mean over tasks; `every_task`: also a table for each."""
    if every_task:
        for task in words.tasks(found):
            console.print(_table(words.of_task(found, task), task), "")
    console.print(_table(words.means(found), "mean over tasks"), "")
    console.print(Text(f"{_legend(found)}\n", "dim"))
    console.print(Text(f"{words.ceilings(found)}\n"))
    console.print(Text(words.headline(found), "bold"))


def _table(rows: Sequence[Row], title: str) -> Table:
    """Columns are few and narrow: the longest names of baselines then fit into a line."""
    out = Table(box=SIMPLE_HEAD, show_edge=False, padding=0, title_justify="left")
    out.title = Text(title, "bold")
    out.add_column("method", overflow="fold")
    for name in ("Spearman", "95%", "prec.", "regret", "s/1k"):
        out.add_column(name, justify="right", no_wrap=True)
    for group, mine in words.by_group(rows).items():
        if group != "ours":
            out.add_section()
            out.add_row(Text(words.GROUPS[group], "italic"))
        for row in mine:
            out.add_row(
                Text(row.method), words.number(row.spearman), _interval(row),
                words.number(row.precision), words.points(row.regret),
                words.seconds(words.spent(row)), style=STYLES[group],
            )  # fmt: skip
    return out


def _interval(row: Row) -> str:
    """`−.04 to  .35`: ends of one width, so that they stand below each other."""
    low, high = (
        words.number(end).replace("0.", ".").rjust(4)
        for end in (row.spearman_low, row.spearman_high)
    )
    return f"{low} to {high}"


def _legend(found: Evaluation) -> str:
    return (
        f"prec., regret: of the first {found.k}, regret in points of accuracy; "
        f"s/1k: seconds to rank {words.STUDENTS:,} students, KD on the target included."
    )
