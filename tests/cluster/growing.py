"""A driver that collects and then prints where everything was: `python -m ... ADDRESS CONFIG`."""

import json
import os
import sys

import ray
from ray._private.state import actors

from dass_ray.actors import kd_worker
from dass_ray.collect import collect
from dass_ray.collect.tally import Tally
from dass_ray.config import CollectConfig

_distil_shard = kd_worker.distil_shard


def distil_shard(uri, *rest):
    """As ever, and leaves the node's identity in a folder."""
    done = _distil_shard(uri, *rest)
    open(f"{uri}.kd/{ray.get_runtime_context().get_node_id()}", "w").close()
    return done


def main():
    config = CollectConfig.model_validate_json(sys.argv[1])
    kd_worker.distil_shard = distil_shard
    os.mkdir(f"{config.store}.kd")
    found = {}
    tell = Tally.tell

    def look(tally, now=False):
        """While Ray is still connected."""
        tell(tally, now)
        found["nodes"] = {node["NodeID"]: node["Resources"] for node in ray.nodes()}
        found["driver"] = ray.get_runtime_context().get_node_id()
        found["board"] = [one["Address"]["NodeID"] for one in actors().values()]

    Tally.tell = look
    runs = collect(config).runs
    print(json.dumps(found | {"runs": runs, "kd": os.listdir(f"{config.store}.kd")}))


if __name__ == "__main__":
    main()
