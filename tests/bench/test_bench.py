"""Benchmarks run and give finite figures; their values are no test's business."""

import json
import math

import pytest
from typer.testing import CliRunner

from dass_ray.bench.timing import Pair, in_turn
from dass_ray.cli.main import app


@pytest.mark.parametrize(
    "words",
    [
        ["scoring", "--students", "4", "--plain", "2", "--rounds", "1"],
        ["scoring", "--inputs", "map", "--students", "4", "--plain", "2", "--rounds", "1"],
        ["kd", "--rounds", "1"],
        ["meta-train", "--members", "2", "--rounds", "1"],
        ["store", "--rows", "2400"],
        ["collect", "--runs", "2"],
    ],
)
def test_json_is_the_last_line(words):
    result = CliRunner().invoke(app, ["bench", *words, "--json"])
    figures = json.loads(result.output.splitlines()[-1])
    assert figures["ratio"] > 0
    assert all(math.isfinite(value) for value in figures.values())
    assert figures.get("relative_difference", 0) < 1e-4


def test_scale_tells_the_limits():
    words = ["bench", "scale", "--gpus", "1,8", "--json"]
    found = json.loads(CliRunner().invoke(app, words).output.splitlines()[-1])
    assert [(one["runs"], one["gpus"]) for one in found["points"]] == [
        ("short", 1), ("short", 8), ("long", 1), ("long", 8)
    ]  # fmt: skip
    assert all(0 < one["efficiency"] <= 1 for one in [found, *found["points"]])
    assert all(value >= 0 for value in found["costs"].values())


def test_ways_are_timed_in_turn():
    calls = []
    pair = in_turn(lambda: calls.append("ours"), lambda: calls.append("plain"), 2)
    assert calls == ["ours", "plain"] * 3
    assert pair.ours >= 0
    assert Pair(ours=2.0, plain=5.0).ratio == 2.5
