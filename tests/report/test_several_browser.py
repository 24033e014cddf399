"""The page of several searches in a real browser: drawn, with nothing refused or failing."""

import re
import subprocess
from dataclasses import replace

from dass_ray.report.several_html import render

from .test_browser import CHROMIUM, FLAGS, pytestmark

__all__ = ["pytestmark"]


def test_fronts_are_drawn(report, tmp_path):
    other = replace(report, card=report.card.model_copy(update={"id": "other"}))
    file = tmp_path / "report.html"
    file.write_text(render([report, other]), encoding="utf-8")
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    assert not re.search("Uncaught|Refused|violates", done.stderr)
    plots = re.findall(r'<div class="plot[^"]*" id="fronts.*?<figcaption>', done.stdout, re.DOTALL)
    assert len(plots) == 2
    for html in plots:
        assert 'class="main-svg"' in html
        assert len(re.findall(r'<path class="point"', html)) == 12
