"""A node that cannot work is left out, and the others do its share."""

import os
import subprocess
import sys

from dass_ray.config import CollectConfig

from .full_disk_driver import PLAN
from .test_chaos import ROOT
from .test_collect import outcome, rows, undisturbed


def test_a_full_disk_of_one_node(sets):
    words = [sys.executable, "-m", "tests.collect.full_disk_driver", sets.uri]
    env = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        words, cwd=ROOT, env=env, timeout=200, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    node, line = done.stdout.splitlines()
    assert line.startswith(f"node {node}: {sets.uri}")
    assert line.endswith("No space left on device: free some space or choose another store")
    assert outcome(rows(sets)) == undisturbed(sets, CollectConfig(**PLAN))
