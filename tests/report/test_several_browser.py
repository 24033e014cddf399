"""The page of several searches in a real browser: drawn, with nothing refused or failing."""

import re
from dataclasses import replace

from dass_ray.report.several_html import render

from . import chromium

pytestmark = chromium.needed


def test_fronts_are_drawn(report, tmp_path):
    other = replace(report, card=report.card.model_copy(update={"id": "other"}))
    file = tmp_path / "report.html"
    file.write_text(render([report, other]), encoding="utf-8")
    dom, log = chromium.opened(file)
    assert not re.search("Uncaught|Refused|violates", log)
    plots = re.findall(r'<div class="plot[^"]*" id="fronts.*?<figcaption>', dom, re.DOTALL)
    assert len(plots) == 2
    for html in plots:
        assert 'class="main-svg"' in html
        assert len(re.findall(r'<path class="point', html)) == 12
