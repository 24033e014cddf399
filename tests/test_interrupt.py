"""Ctrl-C in the middle of a collect: a clean end, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time

from dass_ray import ledger
from dass_ray.store import open_store

CONFIG = """
datasets: ["textures:0"]
space: {name: tiny, image_size: 16, widths: [4, 8], strides: [1, 2], max_depth: 3}
teacher: {epochs: 3, min_steps: 0, lr: 0.1, crop_padding: 1}
kd: {epochs: 1, min_steps: 0, views: 1, crop_padding: 1}
students: 24
shard: 1
"""
STUDENTS = 24


def start(folder):
    words = [sys.executable, "-m", "dass_ray.cli.main", "collect", "--config", "plan.yaml"]
    return subprocess.Popen(words, cwd=folder, stdout=subprocess.PIPE, text=True)


def test_interrupted_collect_goes_on(tmp_path):
    (tmp_path / "plan.yaml").write_text(CONFIG)
    first = start(tmp_path)
    store = open_store(str(tmp_path / "store"))
    deadline = time.monotonic() + 200
    while not store.list("runs"):
        assert time.monotonic() < deadline
        assert first.poll() is None
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGINT)
    out, _ = first.communicate(timeout=60)
    assert first.returncode == 130
    assert "the same command goes on" in out
    before = {path: store.get(path) for path in store.list("runs")}
    assert 0 < len(before) < STUDENTS

    second = start(tmp_path)
    out, _ = second.communicate(timeout=250)
    assert second.returncode == 0, out
    assert f"all {STUDENTS} runs" in out
    after = {path: store.get(path) for path in store.list("runs")}
    assert len(after) == STUDENTS
    assert {path: after[path] for path in before} == before  # nothing was done again
    keys = ledger.read(store)["key"].to_pylist()
    assert len(keys) == len(set(keys)) == STUDENTS
