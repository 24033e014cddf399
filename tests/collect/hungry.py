"""A student that takes memory without end, and Ray's own monitor, which kills its worker.

    python -m tests.collect.hungry

By hand: the monitor looks at the whole machine, so that what else runs there decides, too. Prints
what became of the runs.
"""

import json
import os
import tempfile
import time
from collections import Counter
from pathlib import Path
from unittest import mock

import ray

from dass_ray import ledger, plan
from dass_ray.actors import kd_worker
from dass_ray.actors.session import ray_session
from dass_ray.collect import collect
from dass_ray.config import CollectConfig
from dass_ray.store import open_store

from .. import make_task
from . import faults

ROOM = 3 * 2**20  # KiB beside what the machine uses now, with two workers and their driver


def main():
    lines = map(str.split, Path("/proc/meminfo").read_text().splitlines())
    memory = {name: int(value) for name, value, *_ in lines}
    share = 1 - (memory["MemAvailable:"] - ROOM) / memory["MemTotal:"]
    os.environ |= {"RAY_memory_usage_threshold": f"{share}", "RAY_memory_monitor_refresh_ms": "100"}
    with tempfile.TemporaryDirectory() as folder, ray_session(cpus=2):
        store = open_store(folder)
        for seed, name in enumerate(faults.PLAN["datasets"]):
            make_task.stored(store, name, seed=seed)
        config = CollectConfig(**faults.PLAN | {"store": store.uri, "shard": 3})
        one = str(plan.students(config, "bars")[faults.HUNGRY])
        started = time.time()
        shard = faults.poisoned({one: faults.HUNGRY}, only="bars")
        with mock.patch.object(kd_worker, "distil_shard", shard):
            collect(config)
        rows = ledger.rows(ledger.read(store))
        (bad,) = [row for row in rows if row.status != "ok"]
        print(
            json.dumps(
                {
                    "rows": Counter(row.status for row in rows),
                    "the hungry one": bad.spec == one and bad.dataset == "bars",
                    "error": bad.error,
                    "seconds": round(time.time() - started, 1),
                    "ray": ray.__version__,
                }
            )
        )


if __name__ == "__main__":
    main()
