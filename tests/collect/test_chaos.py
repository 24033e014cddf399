"""Workers, the writer and the driver are killed again and again; not a run is lost or doubled."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from dass_ray import ledger
from dass_ray.config import CollectConfig

from .chaos_driver import PLAN
from .test_collect import outcome, rows, undisturbed

MARK = "DASS_RAY_CHAOS"
ENDS = (signal.SIGKILL, signal.SIGTERM)  # of the first sessions' drivers
ROOT = Path(__file__).parents[2]


def start(store, marks, session):
    words = [
        sys.executable,
        "-m",
        "tests.collect.chaos_driver",
        store.uri,
        str(marks),
        f"{session}",
    ]
    env = os.environ | {MARK: store.uri, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)


def left_over(store):
    """The processes of all sessions that are still there, by name."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            environment = (folder / "environ").read_bytes()
            name = (folder / "cmdline").read_text().strip("\0 ")
        except OSError:
            continue  # it has ended meanwhile, or is another user's
        if f"{MARK}={store.uri}".encode() in environment.split(b"\0"):
            found.append(name)
    return found


def working(store):
    """Those that could still write: Ray's own agents take a minute to miss a killed driver.

    So does a worker that is starting just then, by its name one that could: it waits 60 s for Ray.
    """
    return [name for name in left_over(store) if not name.endswith("Agent")]


def wait_until(check, seconds, what):
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


@pytest.mark.timeout(600)
def test_chaos(sets, tmp_path):
    rng, marks = random.Random(0), tmp_path / "marks"
    marks.mkdir()
    before = 0
    for session, end in enumerate(ENDS):
        driver = start(sets, marks, session)
        wanted = before + rng.randint(1, 3)
        wait_until(
            lambda w=wanted, d=driver: len(sets.list("runs")) >= w or d.poll() is not None,
            200, f"session {session} commits nothing",
        )  # fmt: skip
        assert driver.poll() is None, "the plan is too short for this test"
        time.sleep(rng.random())
        driver.send_signal(end)
        driver.communicate(timeout=60)
        assert driver.returncode == (143 if end == signal.SIGTERM else -end)
        wait_until(lambda: not working(sets), 90, "workers outlive their driver")
        before = len(sets.list("runs"))
    driver = start(sets, marks, len(ENDS))
    out, _ = driver.communicate(timeout=250)
    assert driver.returncode == 0, out

    settings = CollectConfig(**PLAN)
    found = rows(sets)
    assert len(found) == len({row.key for row in found}) == 32
    assert outcome(found) == undisturbed(sets, settings)
    assert ledger.read(sets)["status"].to_pylist() == ["ok"] * 32
    assert len(list(marks.iterdir())) >= 3  # so often a worker or a writer was killed
    assert sets.list("checkpoints") == []
    wait_until(lambda: not left_over(sets), 90, "processes outlive their driver")
