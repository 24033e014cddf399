"""kill -9 of the driver in each stage: the same command ends as if it had never been killed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .kills import STAGES

ROOT = Path(__file__).parents[1]


@pytest.mark.timeout(600)
def test_killed_in_each_stage(tmp_path):
    """At one moment each; CONTRIBUTING.md says how to try more."""
    words = [sys.executable, "-m", "tests.kills", "1", "0", str(tmp_path / "work")]
    env = os.environ | {
        "PYTHONPATH": str(ROOT),
        "OMP_NUM_THREADS": "1",
        "RAY_AUTH_MODE": "disabled",
    }
    done = subprocess.run(
        words, cwd=ROOT, env=env, capture_output=True, text=True, timeout=550, check=False
    )
    assert done.returncode == 0, done.stderr
    facts = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["stage"] for one in facts] == list(STAGES)
    assert all(one["lost"] == 0 for one in facts)
