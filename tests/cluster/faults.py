"""What happens to nodes during a collect, and what it costs: `python -m tests.cluster.faults NAME`.

Each fault ends with the rows of an undisturbed collect, each once, or it fails. The store is a
folder, which all nodes of one machine share, so that a node that is cut off goes on writing.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from .job import Home, Job
from .looking import Search
from .nodes import RAY, Nodes, wait_until

LONG = {"students": 2, "shard": 1}  # with a long pause: runs that are worth a checkpoint


def undisturbed(nodes, home, folder):
    """Nothing at all, for comparison."""
    job = Job(nodes, home, folder)
    job.wait_for(3)
    job.now()
    return job.finish()


def raylet_killed(nodes, home, folder):
    """SIGKILL of a raylet, whose node is then gone."""
    return _hit(nodes, home, folder, lambda node: node.signal(signal.SIGKILL))


def power_lost(nodes, home, folder):
    """SIGKILL of all processes of a node at once."""
    return _hit(nodes, home, folder, lambda node: node.power_off())


def raylet_terminated(nodes, home, folder):
    """SIGTERM of the raylet itself."""
    return _hit(nodes, home, folder, lambda node: node.signal(signal.SIGTERM))


def spot_notice(nodes, home, folder):
    """SIGTERM of `ray start --block`, which drains the node: long runs move with a checkpoint."""
    return _hit(nodes, home, folder, lambda node: node.go(), pause=6.0, **LONG)


def drained(nodes, home, folder):
    """`ray drain-node`: long runs move with a checkpoint."""
    return _hit(nodes, home, folder, lambda node: drain(nodes, node), pause=6.0, **LONG)


def raylet_stopped(nodes, home, folder):
    """SIGSTOP of a raylet after another node was lost: its connections stay, but nobody answers."""
    nodes.workers[0].power_off()
    nodes.add()
    return _hit(nodes, home, folder, lambda node: node.signal(signal.SIGSTOP))


def cut_for_good(nodes, home, folder):
    """A node whose packets vanish."""
    return _hit(nodes, home, folder, nodes.cut)


def cut_and_healed(nodes, home, folder):
    """The same for 20 s: the zombie and the retry both commit."""

    def blink(node):
        nodes.cut(node)
        time.sleep(20)
        nodes.heal(node)

    return _hit(nodes, home, folder, blink, pause=1.0)


def nodes_come_and_go(nodes, home, folder):
    """One worker at first, then three, then another one alone."""
    first, *others = nodes.workers
    for node in others:
        node.power_off()
    job = Job(nodes, home, folder, students=24)
    job.wait_for(2)
    job.now()
    joined = [nodes.add(), nodes.add()]
    wait_until(lambda: len(job.nodes_used()) == 3, 60, "three nodes work")
    for node in (first, joined[0]):
        node.power_off()
    return job.finish()


def all_workers_lost(nodes, home, folder):
    """No worker is left for a while; then there is another one."""
    job = Job(nodes, home, folder)
    job.wait_for(3)
    job.now()
    for node in nodes.workers:
        node.power_off()
    time.sleep(15)
    assert job.process.poll() is None, job.process.said(1)
    nodes.add()
    return job.finish()


def gcs_killed(nodes, home, folder):
    """The head's GCS dies: the driver ends with one line; a new head goes on with the same job."""
    return _new_head(nodes, home, folder, lambda: nodes.head.signal(signal.SIGKILL, "gcs_server"))


def head_lost(nodes, home, folder):
    """The raylet beside the driver dies."""
    return _new_head(nodes, home, folder, lambda: nodes.head.signal(signal.SIGKILL))


def scorer_killed(nodes, home, folder):
    """SIGKILL of a scorer actor in a search, which Ray starts again."""

    def strike():
        every = [pid for node in nodes.workers for pid in node.named("ray::Scorer")]
        os.kill(every[0], signal.SIGKILL)

    return Search(nodes, folder).struck(strike)


def scorer_node_lost(nodes, home, folder):
    """A node with a scorer and the Tune trials that feed it is lost, and another one joins."""

    def strike():
        next(node for node in nodes.workers if node.named("ray::Scorer")).power_off()
        nodes.add()

    return Search(nodes, folder).struck(strike)


FAULTS = {
    fault.__name__: fault
    for fault in (
        undisturbed, raylet_killed, power_lost, raylet_terminated, spot_notice, drained,
        raylet_stopped, cut_for_good, cut_and_healed, nodes_come_and_go, all_workers_lost,
        gcs_killed, head_lost, scorer_killed, scorer_node_lost,
    )
}  # fmt: skip


def _hit(nodes, home, folder, strike, **job):
    """A fault of one of two workers, once both are at work."""
    job = Job(nodes, home, folder, **job)
    job.wait_for(2, "epoch 2")
    wait_until(lambda: len(job.nodes_used()) == 2, 60, "both nodes work")
    job.now()
    strike(nodes.workers[0])
    return job.finish()


def _new_head(nodes, home, folder, strike):
    job = Job(nodes, home, folder)
    job.wait_for(4)
    job.now()
    strike()
    out, err = job.process.said(120)
    ended = time.time() - job.hit
    assert job.process.returncode == 2, (job.process.returncode, out, err)
    assert err.count("\n") == 1, err
    for node in nodes.all:
        node.power_off()
    nodes.start(2)
    job.start()
    return job.finish() | {"driver_ended_s": round(ended, 1), "said": err.strip()}


def drain(nodes, node, seconds=60):
    """What an autoscaler or a spot handler asks for."""
    ids = "import ray, sys; ray.init(address=sys.argv[1], logging_level='ERROR'); print(*("
    ids += "n['NodeID'] for n in ray.nodes() if n['NodeManagerAddress'] == sys.argv[2]))"
    found = nodes.call(sys.executable, "-c", ids, nodes.address, node.address).split()[-1]
    nodes.call(
        RAY, "drain-node", "--address", nodes.address, "--node-id", found,
        "--reason", "DRAIN_NODE_REASON_PREEMPTION", "--reason-message", "test",
        "--deadline-remaining-seconds", f"{seconds}",
    )  # fmt: skip


def mend(nodes, workers=2):
    """Two healthy workers again, whatever happened before."""
    if nodes.head.process("gcs_server") is None or nodes.head.process("raylet") is None:
        for node in nodes.all:
            node.power_off()
        nodes.begin_head()
    for node in nodes.all:
        if node is not nodes.head and (node.hurt or node not in nodes.workers):
            node.power_off()
    for node in [nodes.begin() for _ in range(workers - len(nodes.workers))]:
        nodes.wait_for(node)


def _main(names):
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the nodes are taken away then, too
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder, Nodes() as nodes:
        home = Home(Path(folder) / "home")
        nodes.start(2)
        for name in names:
            mend(nodes)
            load = os.getloadavg()[0]
            try:
                found = FAULTS[name](nodes, home, Path(folder) / name)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                found = {"failed": f"{error!r}"[-3000:]}
                nodes.end_drivers()
            print(json.dumps({"fault": name, **found, "load": round(load, 1)}), flush=True)


if __name__ == "__main__":
    _main(sys.argv[1:] or FAULTS)
