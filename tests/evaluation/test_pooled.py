import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from dass_ray.cli.main import app
from dass_ray.errors import UserError
from dass_ray.evaluation.pooled import pool
from dass_ray.evaluation.table import Evaluation, to_parquet

from .test_table import EVERY, TRUTHS, evaluation

NAMES = {"a": "hues/1", "b": "hues/2"}
OTHERS = {"a": "dots/3", "b": "bars/4"}


def write(folder: Path, found: Evaluation, names):
    """An evaluation whose tasks bear other names."""
    folder.mkdir()
    rows = [replace(row, task=names.get(row.task, "")) for row in found.rows]
    (folder / "evaluation.parquet").write_bytes(to_parquet(replace(found, rows=rows)))
    return folder


@pytest.fixture(scope="module")
def found():
    return evaluation(TRUTHS, EVERY, "ours", 5)


@pytest.fixture
def folders(found, tmp_path, monkeypatch):
    monkeypatch.setattr("dass_ray.evaluation.pooled.OURS", "ours")
    return [write(tmp_path / "one", found, NAMES), write(tmp_path / "two", found, OTHERS)]


def test_data_sets_weigh_alike(found, folders):
    """Two teachers of one data set count as much as the one teacher of another."""
    of = {(row.method, row.task): row for row in found.rows}
    ours, rival = (
        np.array([of[method, task].spearman for task in "ab"]) for method in ("ours", "rival")
    )
    weights = np.array([0.5 + 1, 0.5 + 1]) / 3  # of a and b: hues is both, dots is a, bars is b
    pooled = {one.method: one for one in pool(folders)}
    assert list(pooled) == ["ours", "fit", "rival"]
    mine = pooled["rival"]
    assert (mine.tasks, mine.datasets) == (4, 3)
    assert mine.spearman == pytest.approx(rival @ weights)
    assert mine.ahead == pytest.approx((ours - rival) @ weights)
    assert mine.won == 3
    assert 0 < mine.ahead_low <= mine.ahead <= mine.ahead_high
    assert mine.low <= mine.spearman <= mine.high
    assert pooled["ours"].ahead == pooled["ours"].ahead_high == 0
    assert pooled["fit"].strata is None


def test_a_method_that_some_task_lacks_is_left_out(found, folders, tmp_path):
    fewer = replace(found, rows=[row for row in found.rows if row.method != "rival"])
    folder = write(tmp_path / "three", fewer, {"a": "tinges/5", "b": "tinges/6"})
    assert {one.method for one in pool([*folders, folder])} == {"ours", "fit"}


def test_bad_input(found, folders, tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*nowhere.*`dass-ray evaluate --out`"):
        pool([tmp_path / "nowhere"])
    with pytest.raises(UserError, match=r"hues/1 is in .*one and in .*one: pool it once"):
        pool([folders[0], folders[0]])


def test_command(folders):
    done = CliRunner().invoke(app, ["pool", *map(str, folders), "--json"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["method"] for row in rows] == ["ours", "fit", "rival"]
    done = CliRunner().invoke(app, ["pool", *map(str, folders)])
    assert "rival" in done.stdout
    assert "4 tasks" in done.stdout
