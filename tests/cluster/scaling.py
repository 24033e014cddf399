"""`python -m tests.cluster.scaling`: the same collect on 1, 2 and 4 nodes, beside the simulation.

Nodes of one CPU each. A run is a real one and a pause, so that four nodes fit on two cores: what is
measured is the system's own cost, not the cores'. The figures are those of the last line.
"""

import json
import os
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import torch

from dass_ray.bench.scale import measured
from dass_ray.bench.simulate import Cluster, Plan, simulate

from .job import Home, Job
from .nodes import Nodes

SIZES, PAUSE_S, SEEDS = (1, 2, 4), 0.5, 2
LINK, SHARED, PUTS = 1e9, 1e5, 3500.0  # bytes/s, bytes, a second: nothing here comes near them


def measure(nodes, home, folder, count):
    """Seconds from the first run to the last, and inside KD, on so many nodes."""
    job = Job(nodes, home, folder, PAUSE_S, students=10, kd_seeds=tuple(range(SEEDS)), shard=8)
    job.now()
    found = job.finish(600)
    begins, ends = (sorted(line[0] for line in job.lines(what)) for what in ("begin", "end"))
    began = {line[3]: line[0] for line in job.lines("begin")}
    seconds = [line[0] - began[line[3]] for line in job.lines("end")]
    wall = ends[-1] - begins[0]
    return {
        "nodes": count, "runs": found["runs"], "wall_s": round(wall, 1),
        "efficiency": round(sum(seconds) / (count * wall), 3), "seconds": seconds,
    }  # fmt: skip


def _main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the nodes are taken away then, too
    torch.set_num_threads(1)
    load, rows = os.getloadavg()[0], []
    with tempfile.TemporaryDirectory() as folder, Nodes() as nodes:
        home = Home(Path(folder) / "home")
        nodes.begin_head()
        for count in SIZES:
            for node in [nodes.begin() for _ in range(count - len(nodes.workers))]:
                nodes.wait_for(node)
            rows.append(measure(nodes, home, Path(folder) / f"{count}", count))
    costs = measured(None)
    for row in rows:
        plan = Plan(row.pop("seconds"), task=row["runs"] // 2, shard=8)
        # The wall begins with the first run, when that worker is up and has its data.
        warm = {**asdict(costs), "startup": 0.0, "make": 0.0}
        found = simulate(plan, Cluster(row["nodes"], 1, LINK, SHARED, PUTS), type(costs)(**warm))
        row |= {"simulated_s": round(found.wall, 1), "simulated": round(found.efficiency, 3)}
        print(row, flush=True)
    print(json.dumps({"rows": rows, "costs": asdict(costs), "load": round(load, 1),
                      "at": time.strftime("%H:%M")}))  # fmt: skip


if __name__ == "__main__":
    _main()
