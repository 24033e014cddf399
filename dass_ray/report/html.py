"""The report as one HTML page that needs nothing beside itself."""

from datetime import UTC, datetime
from typing import Any

import yaml

from dass_ray.report import plots, wording
from dass_ray.report.drawing import draw
from dass_ray.report.gather import SearchReport
from dass_ray.report.marks import Figure
from dass_ray.report.page import page
from dass_ray.space import Spec

CLASSES = 24
"""More class names than these are counted, not listed."""


def render(report: SearchReport) -> str:
    """The page: it opens offline, and its content policy forbids every request.

    All text from the store is escaped. Two renderings of one report are equal.
    """
    config = report.card.config.model_dump(mode="json")
    return page(
        "page.html",
        _figures(report),
        report=report,
        card=report.card,
        teacher=report.teacher.card,
        best=report.best,
        words=wording,
        dots=plots.DOTS,
        listed=report.dataset.classes[:CLASSES],
        started=_time(report.card.started_at),
        drawings=_drawings(report),
        config=yaml.safe_dump(config, sort_keys=False, default_flow_style=None),
    )


def _figures(report: SearchReport) -> dict[str, Figure]:
    """The plots for which there is something to show, by the id of their place in the page."""
    out = {}
    if report.verified:
        out["prediction"] = plots.prediction(report)
    if len(report.candidates):
        out["pareto-params"] = plots.pareto(report, "params")
        out["pareto-flops"] = plots.pareto(report, "flops")
        out["search"] = plots.search(report)
    if any(row.curve for student in report.students for row in student.rows):
        out["curves"] = plots.curves(report)
    return out


def _drawings(report: SearchReport) -> dict[str, Any]:
    """The best student beside the teacher; nothing before a student is verified."""
    if report.best is None:
        return {}
    space, spec = report.card.teacher.space, Spec.parse(report.best.choice.spec)
    largest = "Proxy" if report.teacher.card.foreign else "Teacher"
    return {"Student": draw(space, spec), largest: draw(space, space.teacher)}


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
