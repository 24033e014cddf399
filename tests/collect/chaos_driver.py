"""A driver for test_chaos.py: `python -m tests.collect.chaos_driver STORE MARKS SESSION`."""

import sys

from rich.console import Console

from dass_ray.actors import kd_worker
from dass_ray.cli.progress import Bars
from dass_ray.collect import collect
from dass_ray.config import CollectConfig

from . import faults

PLAN = faults.PLAN | {"students": 16, "shard": 2}

if __name__ == "__main__":
    store, marks, session = sys.argv[1:]
    kd_worker.distil_shard = faults.deadly(marks, int(session))
    with Bars(Console()) as bars:
        collect(CollectConfig(**PLAN | {"store": store}), bars)
