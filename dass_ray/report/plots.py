"""The plots of the page, as Plotly figures in plain data; see marks.py for their colours."""

import html
from collections.abc import Iterable

import numpy as np

from dass_ray.report.candidates import Candidates, CostName
from dass_ray.report.gather import SearchReport
from dass_ray.report.marks import (
    ACCURACY,
    Figure,
    Trace,
    by_role,
    dots,
    figure,
    limit,
    line,
    markers,
    star,
    told,
)

DOTS = 20_000
"""Of more candidates than these the plots show so many, evenly chosen."""


def prediction(report: SearchReport) -> Figure:
    """Verified against predicted validation accuracy; bars are one standard deviation."""
    choices = [student.choice for student in report.verified]
    low, high = _span(
        [student.validation or 0.0 for student in report.verified]
        + [choice.predicted + sign * choice.uncertainty for choice in choices for sign in (-1, 1)]
    )
    traces = [line([low, high], [low, high], "prediction = truth", "--muted", dash="dot")]
    for role, group in by_role(report.verified):
        spread = [student.choice.uncertainty for student in group]
        bars = {"array": spread, "color": f"--{role}", "thickness": 1.5, "width": 0}
        predicted = [student.choice.predicted for student in group]
        traces.append(markers(group, predicted, report.best) | {"error_x": bars})
    axis = {"range": [low, high], **ACCURACY}
    x, y = ({"title": {"text": text}, **axis} for text in ("predicted", "verified"))
    return figure(traces, x, y)


def pareto(report: SearchReport, cost: CostName) -> Figure:
    """Accuracy against a cost: all candidates, their front, verified students, teachers, limit."""
    found, front = report.candidates, report.candidates.front(cost)
    spent = found.cost(cost)
    shown = np.unique(np.linspace(0, len(found) - 1, min(len(found), DOTS)).astype(int))
    traces = []
    for name, colour, within in (("beyond a limit", "--out", False), ("candidate", "--dot", True)):
        rows = shown[found.feasible[shown] == within]
        if len(rows):
            traces.append(dots(spent[rows], found.predicted[rows], name, colour))
    specs = [html.escape(found.specs[i]) for i in front]
    picked = [[found.specs[i], _told(found, i)] for i in front.tolist()]
    hover = {"hovertext": specs, "hoverinfo": "text+x+y", "customdata": picked}
    traces.append(line(spent[front], found.predicted[front], "front", "--front") | hover)
    traces[-1]["mode"] = "lines+markers"
    for _, group in by_role(report.students):
        x = [getattr(student.choice, cost) for student in group]
        traces.append(markers(group, x, report.best))
    sizes = [getattr(teacher, cost) for teacher in report.teachers]
    for size, teacher in zip(sizes, report.teachers, strict=True):
        traces.append(star(size, teacher.card.validation, teacher.label))
    title = "parameters" if cost == "params" else "FLOPs"
    x_axis = {"title": {"text": title}, "tickformat": "~s"}
    out = figure(traces, x_axis, {"title": {"text": "accuracy"}, **ACCURACY})
    most = getattr(report.card.config.limits, cost)
    if most and most < max(sizes):
        out["layout"]["shapes"] = [limit(most)]
    return out


def _told(found: Candidates, i: int) -> str:
    return told(found.specs[i], int(found.params[i]), int(found.flops[i]), found.predicted[i])


def search(report: SearchReport) -> Figure:
    """Best prediction within the limits against candidates scored; below, share in the limits."""
    best = report.candidates.best_so_far()
    rises = np.flatnonzero(np.isfinite(best) & np.append(True, best[1:] != best[:-1]))
    points = np.append(rises, len(best) - 1) if len(rises) else rises
    step = line(points + 1, best[points], "best so far", "--top")
    step["line"]["shape"] = "hv"
    ends, shares = report.candidates.feasible_shares()
    sizes = np.diff(ends, prepend=0)
    bars: Trace = {"type": "bar", "x": (ends - sizes / 2).tolist(), "y": shares.tolist()}
    look = {"width": sizes.tolist(), "marker": {"color": "--dot"}, "yaxis": "y2"}
    y = {"title": {"text": "best predicted"}, "domain": [0.42, 1], **ACCURACY}
    below = {"title": {"text": "in limits"}, "domain": [0, 0.28], "range": [0, 1.02], "nticks": 3}
    out = figure(
        [step, bars | look | {"name": "share within limits"}],
        {"title": {"text": "candidates scored"}, "anchor": "y2"},
        y,
    )
    out["layout"]["yaxis2"] = below | {"tickformat": ".0%"}
    return out


def curves(report: SearchReport) -> Figure:
    """Validation accuracy after each epoch of KD, one line for each run."""
    traces: list[Trace] = []
    for role in ("random", "top"):
        students = [student for student in report.students if student.choice.role == role]
        runs = [(student, row) for student in students for row in student.rows if row.curve]
        for i, (student, row) in enumerate(runs):
            epochs = range(1, len(row.curve) + 1)
            width = 3.5 if student is report.best else 1.25
            group = {"legendgroup": role, "showlegend": i == 0}
            hover = f"{html.escape(row.spec)}, seed {row.seed}, {row.status}"
            mode = "lines" if len(epochs) > 1 else "markers"
            mark: Trace = {"mode": mode, "marker": {"color": f"--{role}"}}
            mark |= {"hovertext": hover, "hoverinfo": "text+x+y"}
            traces.append(line(epochs, row.curve, role, f"--{role}", width=width) | group | mark)
    last = max(len(trace["x"]) for trace in traces)
    for teacher in report.teachers:
        level = [teacher.card.validation] * 2
        traces.append(line([1, last], level, teacher.label, "--teacher", dash="dash"))
    y = {"title": {"text": "validation accuracy"}, **ACCURACY}
    return figure(traces, {"title": {"text": "epoch"}}, y)


def _span(values: Iterable[float]) -> tuple[float, float]:
    """The range of an axis that shows all values, with a margin."""
    known = list(values)
    low, high = min(known), max(known)
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin
