"""The marks that plots are made of: lines, dots, students. Plotly traces in plain data.

A colour is the name of a CSS variable (`--top`): page.js looks it up, so that a plot follows the
page from light to dark.
"""

import html
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from dass_ray.report.students import Student
from dass_ray.report.wording import count, percent

Trace = dict[str, Any]
Figure = dict[str, Any]
ROLES = {"top": "circle", "random": "diamond"}
ACCURACY = {"tickformat": ".1~%"}


def figure(traces: list[Trace], x: Trace, y: Trace) -> Figure:
    """A figure of one pair of axes; page.js adds what all plots have in common."""
    return {"data": traces, "layout": {"xaxis": x, "yaxis": y}}


def line(
    x: ArrayLike, y: ArrayLike, name: str, colour: str, *, dash: str = "solid", width: float = 2
) -> Trace:
    """A line through points."""
    look = {"color": colour, "dash": dash, "width": width}
    points = {"x": numbers(x), "y": numbers(y)}
    return {"type": "scatter", "mode": "lines", "name": name, "line": look} | points


def dots(x: ArrayLike, y: ArrayLike, name: str, colour: str) -> Trace:
    """Many small points, drawn by WebGL."""
    points = {"x": numbers(x), "y": numbers(y), "hoverinfo": "skip"}
    look = {"color": colour, "size": 5}
    return {"type": "scattergl", "mode": "markers", "name": name, "marker": look} | points


def star(x: float, y: float, name: str) -> Trace:
    """The teacher."""
    look = {"symbol": "star", "size": 15, "color": "--teacher"}
    points = {"x": [x], "y": [y]}
    return {"type": "scatter", "mode": "markers", "name": name, "marker": look} | points


def by_role(students: Iterable[Student]) -> list[tuple[str, list[Student]]]:
    """The students of each role that have an accuracy, roles without any left out."""
    known = [student for student in students if student.validation is not None]
    groups = [(role, [s for s in known if s.choice.role == role]) for role in ROLES]
    return [(role, group) for role, group in groups if group]


def markers(students: Sequence[Student], x: ArrayLike, best: Student | None) -> Trace:
    """Students of one role by validation accuracy; the best one is larger."""
    role = students[0].choice.role
    sizes = [15 if student is best else 10 for student in students]
    edge = {"color": "--paper", "width": 1.5}
    look = {"symbol": ROLES[role], "size": sizes, "color": f"--{role}", "opacity": 1, "line": edge}
    hover = [f"{html.escape(s.choice.spec)}<br>test {percent(s.test)}" for s in students]
    picked = [[s.choice.spec, about(s)] for s in students]
    points = {"x": numbers(x), "y": numbers(np.array([s.validation for s in students]))}
    words = {"name": role, "hovertext": hover, "hoverinfo": "text+x+y", "customdata": picked}
    return {"type": "scatter", "mode": "markers", "marker": look} | points | words


def about(student: Student) -> str:
    """A verified student in two lines, as page.js tells it when its mark is clicked."""
    choice = student.choice
    found = f"{percent(student.validation)} on validation, {percent(student.test)} on test"
    return f"{told(choice.spec, choice.params, choice.flops, choice.predicted)}; verified {found}"


def told(spec: str, params: int, flops: int, predicted: float) -> str:
    """A candidate in two lines."""
    return f"{spec}\n{params:,} parameters, {count(flops)} FLOPs; predicted {percent(predicted)}"


def limit(at: int) -> Trace:
    """A shape: a dashed line up the plot at x = `at`."""
    look = {"line": {"color": "--limit", "dash": "dash", "width": 1.5}}
    words = {"name": "limit", "showlegend": True}
    return {"type": "line", "x0": at, "x1": at, "y0": 0, "y1": 1, "yref": "paper"} | look | words


def numbers(values: ArrayLike) -> list[float]:
    """Plain numbers, rounded to five places: a tenth of a thousandth of a point."""
    return [round(value, 5) for value in np.asarray(values).tolist()]
