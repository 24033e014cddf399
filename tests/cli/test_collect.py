"""`dass-ray collect --dry-run`: nothing is started and nothing written."""

import json

import pytest
import ray
from typer.testing import CliRunner

from dass_ray.cli import collect as cli
from dass_ray.cli.main import app
from dass_ray.collect.forecast import Forecast, TaskForecast
from dass_ray.config import CollectConfig

from ..make import teacher_card


def test_dry_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))
    words = ["collect", "--dry-run", "-s", "datasets=[digits, 'textures:1']", "-s", "students=4"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert "8 runs, 0 in ./store, 8 to do, 2 teachers to be trained" in result.output
    assert "no run is measured yet" in result.output
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("near_chance", "total"), [("leave out", 10), ("distil", 20)])
def test_the_summary(near_chance, total):
    lazy = teacher_card(near_chance=True)
    tasks = [
        TaskForecast("a", 0, None, 10, 4, 7200.0), TaskForecast("b", 0, lazy, 10, 0, 3600.0),
    ]  # fmt: skip
    config = CollectConfig(datasets=("a", "b"), near_chance=near_chance)
    lines = cli._summary(config, Forecast(tasks, "cpu", 99))
    assert lines[0].startswith(f"{total} runs, 4 in ./store, {total - 4} to do, 1 teachers")
    hours = "2.00" if total == 10 else "3.00"
    assert lines[1].startswith(f"about {hours} hours on one slot of 'cpu', as 99 runs")


def test_a_log_line_is_json(capsys):
    cli._print({"done": 1, "seconds_left": None})
    assert json.loads(capsys.readouterr().out) == {"done": 1, "seconds_left": None}
