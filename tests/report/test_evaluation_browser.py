"""The evaluation's page in a real browser, on a wide and on a narrow screen."""

import json
import re
from html import unescape

import pytest

from dass_ray.report.evaluation_html import render

from . import chromium
from . import make_evaluation as make
from .make_evaluation import METHODS, TASKS

PLOTS = ["forest", "cost", "task-0", "task-1"]
LOOK = """<!doctype html><iframe src="evaluation.html" style="border: 0; width: {width}px"></iframe>
<script>
setTimeout(() => {{
  const page = frames[0].document, root = page.documentElement;
  const plots = [...page.querySelectorAll(".plot")].map((plot) => {{
    const box = plot.getBoundingClientRect(), svg = plot.querySelector(".main-svg");
    const texts = [...plot.querySelectorAll("text")].map((text) => text.getBoundingClientRect());
    return {{
      id: plot.id,
      width: box.width,
      drawn: svg && svg.getBoundingClientRect().width,
      points: plot.querySelectorAll("path.point").length,
      names: [...plot.querySelectorAll(".ytick text")].map((text) => text.textContent),
      cut: texts.filter((t) => t.left < box.left - 1 || t.right > box.right + 1).length,
    }};
  }});
  const found = {{ inner: frames[0].innerWidth, wide: root.scrollWidth, plots }};
  document.body.dataset.found = JSON.stringify(found);
}}, 5000);
</script>"""

pytestmark = chromium.needed


@pytest.fixture
def look(tmp_path):
    """Opens the page of an evaluation in a frame of some width; returns what is seen, and the log.

    A frame, as no window of headless Chromium is narrower than 500 px.
    """

    def open_page(found, width):
        (tmp_path / "evaluation.html").write_text(render(found), encoding="utf-8")
        frame = tmp_path / "frame.html"
        frame.write_text(LOOK.format(width=width), encoding="utf-8")
        files = "--allow-file-access-from-files"  # the frame's window is open to its parent
        dom, log = chromium.opened(frame, files, "--window-size=1400,900")
        return json.loads(unescape(re.search('data-found="([^"]*)"', dom)[1])), log

    return open_page


@pytest.mark.parametrize("width", [390, 1280])
def test_plots_are_drawn_and_fit(look, width):
    long = {f"a method whose name takes two lines, {i}": ("no KD", 0.1, i, 0.0) for i in range(9)}
    seen, log = look(make.evaluation(methods=METHODS | long, tasks=(TASKS[0], "t" * 90)), width)
    said = [line for line in log.splitlines() if "CONSOLE" in line]
    assert all("software WebGL has been deprecated" in line for line in said)
    assert not re.search("Uncaught|Refused|violates", log)
    assert seen["inner"] == width
    assert seen["wide"] <= width
    assert [plot["id"] for plot in seen["plots"]] == PLOTS
    for plot in seen["plots"]:
        assert plot["drawn"] == pytest.approx(plot["width"], abs=1), plot["id"]
        assert plot["cut"] == 0, plot["id"]
    forest, cost, *scatter = seen["plots"]
    assert forest["points"] == len(METHODS) + 9
    assert cost["points"] == len(METHODS) + 9 - 2  # two of them cost nothing
    assert [plot["points"] for plot in scatter] == [3, 3]


def test_every_method_is_named_on_the_forest(look):
    seen, _ = look(make.evaluation(), 390)
    names = {re.sub(r"\s", "", name) for name in METHODS}
    assert {re.sub(r"\s", "", name) for name in seen["plots"][0]["names"]} == names
