"""kill -9 in the middle of a search: the same command goes on; only open batches are lost."""

import os
import signal
import subprocess
import sys
import time

from dass_ray import searches
from dass_ray.store import open_store

CONFIG = """
name: mine
dataset: "textures:0"
teacher: {epochs: 2, min_steps: 0}
kd: {epochs: 1, min_steps: 0, views: 1}
candidates: 48
batch: 4
verify: {top: 2, random: 1}
"""
CANDIDATES, BATCH = 48, 4


def start(folder):
    words = [sys.executable, "-m", "dass_ray.cli.main", "search", "--config", "search.yaml"]
    return subprocess.Popen(
        words, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def batches(store):
    return {path: store.get(path) for path in store.list("searches/mine/batches")}


def test_a_killed_search_goes_on(tmp_path):
    (tmp_path / "search.yaml").write_text(CONFIG)
    first = start(tmp_path)
    store = open_store(str(tmp_path / "store"))
    deadline = time.monotonic() + 200
    while len(batches(store)) < 3:
        assert time.monotonic() < deadline
        assert first.poll() is None, first.communicate()[0]
        time.sleep(0.05)
    os.kill(first.pid, signal.SIGKILL)
    first.communicate(timeout=60)
    before = batches(store)
    assert 3 <= len(before) < CANDIDATES // BATCH

    second = start(tmp_path)
    out, _ = second.communicate(timeout=280)
    assert second.returncode == 0, out
    assert f"{CANDIDATES} candidates scored, 3 of 3 distillations" in out
    after = batches(store)
    assert {path: after[path] for path in before} == before
    assert sum(map(len, searches.read_batches(store, "mine"))) == CANDIDATES
    specs = [s for batch in searches.read_batches(store, "mine") for s in batch["spec"].to_pylist()]
    assert len(set(specs)) == CANDIDATES  # and none was scored twice
