"""The plots of an evaluation's page, as Plotly figures in plain data; see marks.py for colours."""

import html

from dass_ray.evaluation.table import Evaluation, Points, Row
from dass_ray.report import evaluation_words as words
from dass_ray.report.marks import ACCURACY, Figure, Trace, figure, line, numbers

COLOURS = {
    "ours": "--top", "ablation": "--front", "no KD": "--random", "KD on target": "--teacher",
}  # fmt: skip
STUDENTS = 1000  # that the cost plot has ranked


def forest(found: Evaluation) -> Figure:
    """Spearman with its interval by method, best above; the reachable one as a line."""
    rows = sorted(words.means(found), key=lambda row: row.spearman)
    traces: list[Trace] = []
    for group, colour in COLOURS.items():
        mine = [row for row in rows if row.group == group]
        if mine:
            traces.append(_bars(mine, group, colour))
    y = {"title": {"text": ""}, "categoryorder": "array", "categoryarray": _names(rows)}
    out = figure(traces, {"title": {"text": "Spearman, mean over tasks"}}, y)
    if len(found.ceilings) == len(words.tasks(found)):
        reach = sum(c.reachable for c in found.ceilings) / len(found.ceilings)
        look = {"line": {"color": "--limit", "dash": "dash", "width": 1.5}}
        shape = {"type": "line", "x0": reach, "x1": reach, "y0": 0, "y1": 1, "yref": "paper"}
        out["layout"]["shapes"] = [shape | look | {"name": "reachable", "showlegend": True}]
    return out


def _names(rows: list[Row]) -> list[str]:
    return [html.escape(row.method) for row in rows]


def _bars(rows: list[Row], group: str, colour: str) -> Trace:
    ends = {
        "type": "data", "symmetric": False, "color": colour, "thickness": 1.5, "width": 0,
        "array": numbers([row.spearman_high - row.spearman for row in rows]),
        "arrayminus": numbers([row.spearman - row.spearman_low for row in rows]),
    }  # fmt: skip
    return {
        "type": "scatter", "mode": "markers", "name": group, "error_x": ends,
        "x": numbers([row.spearman for row in rows]), "y": _names(rows),
        "marker": {"color": colour, "size": 8},
    }  # fmt: skip


def cost(found: Evaluation) -> Figure:
    """Spearman against seconds to rank many students, real KD on the target included."""
    traces: list[Trace] = []
    for group, colour in COLOURS.items():
        rows = [row for row in words.means(found) if row.group == group and _spent(row) > 0]
        if rows:
            look = {"color": colour, "size": 9}
            points = {"x": numbers([_spent(row) for row in rows]),
                      "y": numbers([row.spearman for row in rows])}  # fmt: skip
            words_ = {"hovertext": _names(rows), "hoverinfo": "text+x+y", "name": group}
            traces.append({"type": "scatter", "mode": "markers", "marker": look} | points | words_)
    x = {"title": {"text": f"seconds to rank {STUDENTS:,} students"}, "type": "log"}
    return figure(traces, x, {"title": {"text": "Spearman"}})


def _spent(row: Row) -> float:
    return STUDENTS * row.seconds + row.target_seconds


def scatter(points: Points) -> Figure:
    """Real against predicted accuracy of one task's students, with 80% intervals."""
    ends = {
        "type": "data", "symmetric": False, "color": "--top", "thickness": 1, "width": 0,
        "array": numbers([h - p for h, p in zip(points.high, points.predicted, strict=True)]),
        "arrayminus": numbers([p - lo for lo, p in zip(points.low, points.predicted, strict=True)]),
    }  # fmt: skip
    every = [*points.real, *points.predicted]
    dots: Trace = {
        "type": "scatter", "mode": "markers", "name": "students", "error_x": ends,
        "x": numbers(points.predicted), "y": numbers(points.real),
        "marker": {"color": "--top", "size": 7},
    }  # fmt: skip
    ideal = line([min(every), max(every)], [min(every), max(every)], "equal", "--muted", dash="dot")
    x = {"title": {"text": "predicted, 80% interval"}, **ACCURACY}
    return figure([ideal, dots], x, {"title": {"text": "after distillation"}, **ACCURACY})
