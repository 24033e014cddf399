"""cluster/grafana.json asks for metrics that exist, and for all of ours."""

import json
import re
from pathlib import Path

import pytest
from ray.dashboard.modules.metrics.dashboards import default_dashboard_panels
from ray.dashboard.modules.reporter.reporter_agent import METRICS_GAUGES

from dass_ray.actors import metrics

from .files import FOLDER

BOARD = json.loads((FOLDER / "grafana.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
ASKED = {
    (panel["title"], name)
    for panel in PANELS
    for target in panel["targets"]
    for name in re.findall(r"\bray_\w+", target["expr"])
}
RAYS = {f"ray_{name}" for name in METRICS_GAUGES} | set(
    re.findall(r"\bray_\w+", Path(default_dashboard_panels.__file__).read_text())
)


@pytest.mark.parametrize(("panel", "name"), sorted(ASKED))
def test_what_a_panel_asks_for_is_exported(panel, name):
    assert name in (metrics.exported() if "dass_ray" in name else RAYS)


def test_all_that_we_export_is_shown():
    shown = {name for _, name in ASKED}
    parts = ("_count", "_sum")  # of a histogram, whose buckets are enough
    assert {name for name in metrics.exported() if not name.endswith(parts)} <= shown


def test_panels_are_apart_and_complete():
    assert len({panel["id"] for panel in BOARD["panels"]}) == len(BOARD["panels"])
    taken = set()
    for panel in BOARD["panels"]:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
    for panel in PANELS:
        assert panel["title"]
        assert panel["description"]
        assert all(
            target["expr"].count("(") == target["expr"].count(")") for target in panel["targets"]
        )


def test_every_query_is_of_one_session():
    assert all('SessionName=~"$session"' in t["expr"] for panel in PANELS for t in panel["targets"])
