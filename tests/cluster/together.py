"""What happens to a run that two workers share, on nodes of one CPU each, and what it costs.

`python -m tests.cluster.together [NAME...]`: each fault, one after the other; each must end with
the run's row.
"""

import os
import signal
import sys
import tempfile
import time
from pathlib import Path

from dass_ray import ledger
from dass_ray.config import CollectConfig

from .faults import drain
from .job import Home
from .nodes import Nodes, wait_until
from .slow import PLAN

WORKER = "ray::RayTrainWorker"
EPOCHS = 300
SOME_S = 12.0  # in which workers import what they need, and are in training then


def nothing(_nodes, _node):
    """For comparison."""


def process_killed(_nodes, node):
    """SIGKILL of one of the two processes."""
    os.kill(node.named(WORKER)[0], signal.SIGKILL)


def power_lost(_nodes, node):
    """SIGKILL of all processes of one of the two nodes."""
    node.power_off()


def told_to_go(nodes, node):
    """A spot notice: both leave with a checkpoint."""
    drain(nodes, node)


FAULTS = (nothing, process_killed, power_lost, told_to_go)


def main(*names):
    with Nodes() as nodes, tempfile.TemporaryDirectory() as folder:
        nodes.start(workers=2)
        home = Home(Path(folder) / "home")
        for fault in (fault for fault in FAULTS if not names or fault.__name__ in names):
            while len(nodes.workers) < 3:
                nodes.add()
            print(fault.__name__, run(nodes, home, Path(folder) / fault.__name__, fault))


def run(nodes, home, folder, fault):
    """The seconds before the fault and after it."""
    folder.mkdir()
    store = home.copy(folder / "store")
    kd = PLAN["kd"].model_copy(update={"epochs": EPOCHS})
    changes = {
        "datasets": ("bars",), "students": 1, "kd": kd, "resources": {"workers_per_run": 2},
    }  # fmt: skip
    plan = folder / "plan.json"
    plan.write_text(CollectConfig(**PLAN | changes).model_dump_json(exclude={"store"}))
    words = ["collect", "-c", str(plan), "--store", store.uri, "--address", nodes.address]
    begun, process = time.monotonic(), nodes.run("dass_ray.cli.main", *words)
    busy = []

    def training():
        assert process.poll() is None, process.said(1)
        busy[:] = [node for node in nodes.workers if node.named(WORKER)]
        return len(busy) == 2

    wait_until(training, 240, "two workers")
    time.sleep(SOME_S)
    hit = time.monotonic()
    fault(nodes, busy[0])
    said = process.said(400)
    assert process.returncode == 0, said
    ended = time.monotonic()
    (row,) = ledger.read(store).to_pylist()
    assert (row["status"], len(row["curve"])) == ("ok", EPOCHS), row
    assert not store.list("checkpoints")
    return f"{hit - begun:.0f} s before, {ended - hit:.0f} s after, {row['seconds']:.0f} s of KD"


if __name__ == "__main__":
    main(*sys.argv[1:])
