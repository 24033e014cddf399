"""The plots of several searches: the fronts of their verified students over each other."""

import html
from collections.abc import Sequence

from dass_ray.report.candidates import CostName
from dass_ray.report.gather import SearchReport
from dass_ray.report.marks import ACCURACY, Figure, Trace, about, figure, line, numbers
from dass_ray.report.several import front
from dass_ray.report.wording import percent

COLOURS = tuple(f"--s{number}" for number in range(1, 7))
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "cross", "star-triangle-down")


def colour(number: int) -> str:
    """Of a search by its place, from 0; a seventh has the first one's, and another symbol."""
    return COLOURS[number % len(COLOURS)]


def fronts(reports: Sequence[SearchReport], cost: CostName) -> Figure:
    """Validation accuracy against a cost: a line for each front, a mark for each student."""
    traces: list[Trace] = []
    for number, report in enumerate(reports):
        if report.verified:
            traces += [_front(number, report, cost), _students(number, report, cost)]
    title = "parameters" if cost == "params" else "FLOPs"
    x = {"title": {"text": title}, "tickformat": "~s"}
    return figure(traces, x, {"title": {"text": "validation accuracy"}, **ACCURACY})


def _front(number: int, report: SearchReport, cost: CostName) -> Trace:
    found = front(report, cost)
    x = [getattr(student.choice, cost) for student in found]
    y = [student.validation or 0.0 for student in found]
    group = {"legendgroup": report.card.id, "showlegend": False, "hoverinfo": "skip"}
    return line(x, y, html.escape(report.card.id), colour(number)) | group


def _students(number: int, report: SearchReport, cost: CostName) -> Trace:
    turn = number + number // len(COLOURS)
    sizes = [14 if student is report.best else 9 for student in report.verified]
    edge = {"color": "--paper", "width": 1.5}
    look: Trace = {"symbol": SYMBOLS[turn % len(SYMBOLS)], "size": sizes, "color": colour(number)}
    look["opacity"] = 1
    hover = [
        f"<b>{html.escape(report.card.id)}</b><br>{html.escape(student.choice.spec)}<br>"
        f"{student.choice.role}, test {percent(student.test)}"
        for student in report.verified
    ]
    points = {
        "x": numbers([getattr(student.choice, cost) for student in report.verified]),
        "y": numbers([student.validation or 0.0 for student in report.verified]),
    }
    words: Trace = {"name": html.escape(report.card.id), "legendgroup": report.card.id}
    words |= {"hovertext": hover, "hoverinfo": "text+x+y"}
    words["customdata"] = [[student.choice.spec, about(student)] for student in report.verified]
    return {"type": "scatter", "mode": "markers", "marker": look | {"line": edge}} | points | words
