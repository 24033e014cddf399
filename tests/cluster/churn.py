"""`python -m tests.cluster.churn [MINUTES]`: four nodes, one lost each minute, another one joins.

Nodes of one CPU each; a run is a real one and a pause of two seconds, so that two cores can hold
four nodes. The figures are those of the last line.
"""

import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import torch

from .job import Home, Job
from .nodes import Nodes

NODES, EVERY_S, PAUSE_S = 4, 60.0, 0.5


def churn(nodes, home, folder, minutes):
    """A collect of so many minutes; gives its figures."""
    seeds = tuple(range(round(minutes * 1.4)))
    began = time.time()
    job = Job(nodes, home, folder, PAUSE_S, students=40, kd_seeds=seeds, shard=4)
    job.wait_for(4)
    job.now()
    lost = 0
    checks = threading.Thread(target=home.expected, args=(job.config,))
    checks.start()  # meanwhile, since one process takes as long for all runs
    while job.process.poll() is None:
        time.sleep(1)
        if time.time() - job.hit > EVERY_S * (lost + 1):
            nodes.workers[0].power_off()  # the oldest
            nodes.begin()
            lost += 1
    checks.join()
    found = job.finish()
    return found | {"nodes_lost": lost, "wall_s": round(time.time() - began, 1)}


def _main(minutes):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the nodes are taken away then, too
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, Nodes() as nodes:
        home = Home(Path(folder) / "home")
        nodes.start(NODES)
        load = os.getloadavg()[0]
        found = churn(nodes, home, Path(folder) / "churn", minutes)
        print(json.dumps(found | {"load": [round(load, 1), round(os.getloadavg()[0], 1)]}))


if __name__ == "__main__":
    _main(float(sys.argv[1]) if sys.argv[1:] else 7.0)
