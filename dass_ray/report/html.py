"""The report as one HTML page that needs nothing beside itself."""

import base64
import hashlib
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

import jinja2
import yaml
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from dass_ray.report import plots, wording
from dass_ray.report.drawing import draw
from dass_ray.report.gather import SearchReport
from dass_ray.report.marks import Figure
from dass_ray.space import Spec

CLASSES = 24
"""More class names than these are counted, not listed."""


def render(report: SearchReport) -> str:
    """The page: it opens offline, and its content policy forbids every request.

    All text from the store is escaped. Two renderings of one report are equal.
    """
    scripts = [get_plotlyjs(), _asset("page.js")]
    config = report.card.config.model_dump(mode="json")
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("dass_ray", "report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        name: getattr(wording, name) for name in ("percent", "points", "count", "duration")
    }
    return environment.get_template("page.html").render(
        report=report,
        card=report.card,
        teacher=report.card.teacher,
        best=report.best,
        words=wording,
        dots=plots.DOTS,
        listed=report.dataset.classes[:CLASSES],
        started=_time(report.card.started_at),
        figures=_figures(report),
        drawings=_drawings(report),
        config=yaml.safe_dump(config, sort_keys=False, default_flow_style=None),
        style=Markup(_asset("page.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=[_hash(script) for script in scripts],
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
    return {"Student": draw(space, spec), "Teacher": draw(space, space.teacher)}


def _asset(name: str) -> str:
    return files("dass_ray.report").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """A script's source in a content security policy; scripts without it do not run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
