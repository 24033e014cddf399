"""An evaluation as Markdown tables."""

import html
from collections.abc import Sequence

from dass_ray.evaluation.table import Evaluation, Row
from dass_ray.report import evaluation_words as words


def render(found: Evaluation) -> str:
    """The headline, the noise ceiling, the mean over tasks, and a table for each task."""
    parts = [
        "# Evaluation", _escaped(words.headline(found)), _escaped(words.ceilings(found)),
        words.legend(found),
        "## Mean over tasks", _table(words.means(found)),
    ]  # fmt: skip
    for task in words.tasks(found):
        parts += [f"## {_escaped(task)}", _table(words.of_task(found, task))]
    return "\n\n".join(parts) + "\n"


def _table(rows: Sequence[Row]) -> str:
    header, *lines = words.table(rows)
    every = [("group", *header), ("---",) * (len(header) + 1)]
    every += [(row.group, *line) for row, line in zip(rows, lines, strict=True)]
    return "\n".join("| " + " | ".join(map(_escaped, line)) + " |" for line in every)


def _escaped(text: str) -> str:
    """Text in which no name opens a tag or a cell of its own."""
    return html.escape(text, quote=False).replace("|", "\\|")
