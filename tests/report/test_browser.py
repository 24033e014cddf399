"""The page in a real browser: whether its plots are drawn, with nothing refused or failing."""

import re

import pytest

from dass_ray.report.html import render

from . import chromium

PLOTS = ("pareto-params", "pareto-flops", "prediction", "search", "curves")

pytestmark = chromium.needed


@pytest.fixture
def browse(report, tmp_path):
    """Opens the page with more flags; returns the DOM of each plot, and the log."""

    def open_page(*more):
        file = tmp_path / "report.html"
        file.write_text(render(report), encoding="utf-8")
        dom, log = chromium.opened(file, *more)
        plots = r'<div class="plot[^"]*" id="([a-z-]+)"(.*?)<figcaption>'
        return dict(re.findall(plots, dom, re.DOTALL)), log

    return open_page


def test_plots_are_drawn(browse):
    plots, log = browse()
    assert tuple(plots) == PLOTS
    for name, html in plots.items():
        assert 'class="main-svg"' in html, name
        assert "WebGL is not supported" not in html, name
    for name in ("pareto-params", "prediction"):
        assert len(re.findall(r'<path class="point', plots[name])) >= 6, name
    assert len(re.findall(r'<g class="trace scatter', plots["curves"])) == 7
    assert not re.search("Uncaught|Refused|violates", log)


def test_without_webgl_the_candidates_are_drawn_as_svg(browse, report):
    plots, _ = browse("--disable-3d-apis")
    html, front = plots["pareto-params"], len(report.candidates.front("params"))
    assert "<canvas" not in html
    assert len(re.findall(r'<path class="point', html)) == 40 + front + 6 + 1


@pytest.mark.parametrize(("scheme", "paper"), [(0, "26, 29, 34"), (1, "255, 255, 255")])
def test_colours_follow_the_scheme(browse, scheme, paper):
    plots, _ = browse(f"--blink-settings=preferredColorScheme={scheme}")
    edge = f"stroke: rgb({paper})"
    assert edge in plots["prediction"]


def test_a_student_that_is_clicked_is_told_and_ringed(report, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(render(report), encoding="utf-8")
    told = "document.getElementById('picked')"
    rings = "[...document.querySelectorAll('.plot')].flatMap((plot) => plot.data)"
    rings += ".filter((trace) => trace.name === 'picked').flatMap((trace) => trace.x).length"
    mark = "document.querySelector('#prediction .scatterlayer .trace:nth-child({}) path.point')"
    best = report.best
    with chromium.Tab(file) as tab:
        assert tab.run(f"{told}.hidden")
        tab.click(mark.format(2))  # the line, top students, random students
        text = tab.run(f"{told}.innerText")
        assert text.startswith(f"{best.choice.spec}\n{best.choice.params:,} parameters, ")
        assert f"verified {100 * best.validation:.1f}% on validation" in text
        assert tab.run(rings) >= 3  # in both plots of costs and in this one
        tab.click(mark.format(2))
        assert tab.run(f"{told}.hidden")
        assert tab.run(rings) == 0


def test_the_front_tells_its_students(report, tmp_path):
    file = tmp_path / "report.html"
    file.write_text(render(report), encoding="utf-8")
    front = report.candidates.front("params")
    name = "document.querySelectorAll('#pareto-params .scatterlayer .trace')"
    with chromium.Tab(file) as tab:
        tab.click(f"{name}[0].querySelector('path.point')")
        spec, facts = tab.run("document.getElementById('picked').innerText").split("\n")
    assert spec == report.candidates.specs[front[0]]
    assert facts.startswith(f"{report.candidates.params[front[0]]:,} parameters, ")
