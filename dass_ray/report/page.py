"""A page that needs nothing beside itself: style, scripts and plots in one HTML file."""

import base64
import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from dass_ray.report import wording
from dass_ray.report.marks import Figure


def page(template: str, figures: Mapping[str, Figure], **variables: Any) -> str:  # noqa: ANN401
    """The page of a template of this package; figures: plots by the id of their place in it.

    It opens offline, and its content policy forbids every request. All text is escaped.
    """
    scripts = [get_plotlyjs(), _asset("page.js")]
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
    return environment.get_template(template).render(
        figures=figures,
        style=Markup(_asset("page.css")),
        scripts=[Markup(script) for script in scripts],
        script_hashes=[_hash(script) for script in scripts],
        **variables,
    )


def _asset(name: str) -> str:
    return files("dass_ray.report").joinpath(name).read_text(encoding="utf-8")


def _hash(script: str) -> str:
    """A script's source in a content security policy; scripts without it do not run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
