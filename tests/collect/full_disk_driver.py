"""A driver for test_nodes.py: `python -m tests.collect.full_disk_driver STORE`.

Two nodes, on one of which no worker can write to the store.
"""

import sys

import ray
from ray.cluster_utils import Cluster

from dass_ray.actors import kd_worker
from dass_ray.collect import collect
from dass_ray.config import CollectConfig

from . import faults

PLAN = faults.PLAN | {"students": 12, "shard": 1}

if __name__ == "__main__":
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    bad = cluster.add_node(num_cpus=1)
    ray.init(address=cluster.address, log_to_driver=False)
    cluster.wait_for_nodes()
    kd_worker.distil_shard = faults.full_disk({bad.node_id})
    done = collect(CollectConfig(**PLAN | {"store": sys.argv[1]}))
    print(bad.node_id[:8], *done.left_out, sep="\n")
    ray.shutdown()
    cluster.shutdown()
