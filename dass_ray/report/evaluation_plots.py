"""The plots of an evaluation's page, as Plotly figures in plain data; see marks.py for colours."""

import html
import textwrap

from dass_ray.evaluation.table import Evaluation, Points, Row
from dass_ray.report import evaluation_words as words
from dass_ray.report.marks import ACCURACY, Figure, Trace, figure, line, numbers

COLOURS = {
    "ours": "--top", "ablation": "--front", "no KD": "--random", "KD on target": "--teacher",
}  # fmt: skip
LABEL = 26  # characters of a line of a method's name on an axis


def forest(found: Evaluation) -> Figure:
    """Spearman with its interval by method, best above; the reachable one as a dashed line."""
    rows = sorted(words.means(found), key=lambda row: row.spearman)
    traces = [_bars(mine, group) for group, mine in reversed(words.by_group(rows).items())]
    y = {
        "title": {"text": ""}, "type": "category", "categoryorder": "array",
        "categoryarray": [_label(row) for row in rows], "range": [-0.7, len(rows) - 0.3],
        "tickfont": {"color": "--ink"}, "dtick": 1,
    }  # fmt: skip
    x = {"title": {"text": "Spearman"}, "zeroline": True, "zerolinecolor": "--muted"}
    out = figure(traces, x, y)
    out["layout"]["showlegend"] = False
    if (reach := words.reachable(found)) is not None:
        look = {"line": {"color": "--limit", "dash": "dash", "width": 1.5}}
        shape = {"type": "line", "x0": reach, "x1": reach, "y0": 0, "y1": 1, "yref": "paper"}
        out["layout"]["shapes"] = [shape | look]
    return out


def _label(row: Row) -> str:
    """A name in short lines; ours is bold."""
    lines = textwrap.wrap(row.method, LABEL, break_on_hyphens=False)
    text = "<br>".join(html.escape(part) for part in lines)
    return f"<b>{text}</b>" if row.group == "ours" else text


def _bars(rows: list[Row], group: str) -> Trace:
    ends = {
        "type": "data", "symmetric": False, "color": COLOURS[group], "thickness": 1.5, "width": 0,
        "array": numbers([row.spearman_high - row.spearman for row in rows]),
        "arrayminus": numbers([row.spearman - row.spearman_low for row in rows]),
    }  # fmt: skip
    return _marks(rows, group) | {"y": [_label(row) for row in rows], "error_x": ends}


def _marks(rows: list[Row], group: str) -> Trace:
    """Marks at the Spearman of rows of one group, which tell their names."""
    return {
        "type": "scatter", "mode": "markers", "name": words.GROUPS[group],
        "x": numbers([row.spearman for row in rows]),
        "marker": {"color": COLOURS[group], "size": 12 if group == "ours" else 9},
        "hovertext": [_hover(row) for row in rows], "hoverinfo": "text",
    }  # fmt: skip


def _hover(row: Row) -> str:
    found = words.span(row.spearman, row.spearman_low, row.spearman_high)
    cost = f"{words.seconds(words.spent(row))} s for {words.STUDENTS:,} students"
    return f"<b>{html.escape(row.method)}</b><br>Spearman {found}<br>{cost}"


def cost(found: Evaluation) -> Figure:
    """Spearman against seconds to rank many students, real KD on the target included.

    Methods that cost nothing have no place on the axis, which is logarithmic.
    """
    traces: list[Trace] = []
    paid = [row for row in words.means(found) if words.spent(row)]
    for group, rows in reversed(words.by_group(paid).items()):
        marks = _marks(rows, group)
        points = {"x": numbers([words.spent(row) for row in rows]), "y": marks["x"]}
        traces.append(marks | points)
    x = {"title": {"text": f"seconds for {words.STUDENTS:,} students"}, "type": "log", "dtick": 1}
    out = figure(traces, x, {"title": {"text": "Spearman"}})
    out["layout"]["showlegend"] = False
    return out


def scatter(points: Points) -> Figure:
    """Real against predicted accuracy of one task's students, with 80% intervals."""
    ends = {
        "type": "data", "symmetric": False, "color": "--top", "thickness": 1, "width": 0,
        "array": numbers([h - p for h, p in zip(points.high, points.predicted, strict=True)]),
        "arrayminus": numbers([p - lo for lo, p in zip(points.low, points.predicted, strict=True)]),
    }  # fmt: skip
    dots: Trace = {
        "type": "scatter", "mode": "markers", "name": "students", "error_x": ends,
        "x": numbers(points.predicted), "y": numbers(points.real),
        "marker": {"color": "--top", "size": 7},
    }  # fmt: skip
    every = [*points.real, *points.predicted, *points.low, *points.high]
    margin = 0.04 * (max(every) - min(every)) or 0.01
    span = numbers([min(every) - margin, max(every) + margin])
    axis = {"range": span, "nticks": 6, **ACCURACY}
    x, y = ({"title": {"text": text}, **axis} for text in ("predicted", "after distillation"))
    out = figure([line(span, span, "equal", "--muted", dash="dot"), dots], x, y)
    out["layout"]["showlegend"] = False
    return out
