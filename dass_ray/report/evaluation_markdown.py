"""An evaluation as Markdown tables."""

from collections.abc import Sequence

from dass_ray.evaluation.table import Evaluation, Row
from dass_ray.report import evaluation_words as words


def render(found: Evaluation) -> str:
    """The headline, the noise ceiling, the mean over tasks, and a table for each task."""
    parts = [
        "# Evaluation", words.headline(found), words.ceilings(found), words.legend(found),
        "## Mean over tasks", _table(words.means(found)),
    ]  # fmt: skip
    for task in words.tasks(found):
        parts += [f"## {_escaped(task)}", _table(words.of_task(found, task))]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Row]) -> str:
    lines = [("group", *words.COLUMNS), ("---",) * (len(words.COLUMNS) + 1)]
    lines += [(row.group, *words.cells(row)) for row in rows]
    return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
