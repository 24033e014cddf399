"""The node types of cluster/aws.yaml under Ray's own autoscaler, from no worker at all.

The nodes are real raylets on this machine (Ray's `fake_multinode` provider) that only say that they
have a GPU. It takes longer than other tests: no smaller one sees a job start its own nodes.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import ray
import yaml
from ray.autoscaler._private.fake_multi_node.node_provider import (
    FAKE_HEAD_NODE_ID,
    FakeMultiNodeProvider,
)

from dass_ray.config import CollectConfig

from .. import make_task
from ..make import KD, TEACH, TINY
from .files import ROOT, ray_up
from .test_image import those

THE_HEAD = "ray.head.default"  # as the provider calls it
HEAD = {"CPU": 0, "GPU": 0, "driver": 1000, "max_cpus": 2, "max_gpus": 1}
OWN = {name: value for name, value in HEAD.items() if name not in ("CPU", "GPU")}
DEADLINE_S = 200
UP = "Ray runtime started"


def free_ports(n):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(n)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def small(gcs):
    """aws.yaml as this machine can start it: one node of the types cpu and gpu-t4, one CPU each."""
    config = ray_up("aws.yaml")
    every = config["available_node_types"]
    types = {name: every[name] | {"node_config": {}} for name in ("cpu", "gpu-t4")}
    for one in types.values():
        one["max_workers"] = one["resources"]["CPU"] = 1
    types[THE_HEAD] = every["head"] | {"node_config": {}, "resources": HEAD, "max_workers": 0}
    provider = {
        "type": "external",  # the type `fake_multinode` wants a file that Ray's wheels lack
        "module": f"{FakeMultiNodeProvider.__module__}.{FakeMultiNodeProvider.__qualname__}",
        "gcs_address": gcs,
        "launch_multiple": True,
        "disable_node_updaters": True,  # there is nothing to install by SSH
        "head_node_id": FAKE_HEAD_NODE_ID,
    }
    lists = ("setup", "head_setup", "worker_setup", "head_start_ray", "worker_start_ray")
    return config | {
        "provider": provider, "available_node_types": types, "head_node_type": THE_HEAD,
        "max_workers": 2, "docker": {},
        "auth": {}, "file_mounts": {}, "cluster_synced_files": [], "initialization_commands": [],
        "file_mounts_sync_continuously": False, **{f"{name}_commands": [] for name in lists},
    }  # fmt: skip


@pytest.fixture(scope="module")
def head():
    """Address and health port of a head as `ray up` starts it; all nodes end with it."""
    folder = Path(tempfile.mkdtemp(prefix="grow-", dir="/tmp"))  # sockets want short paths
    port, client, agent = free_ports(3)
    address = f"{ray.util.get_node_ip_address()}:{port}"
    (folder / "cluster.yaml").write_text(yaml.safe_dump(small(address)))
    command = [
        os.path.join(os.path.dirname(sys.executable), "ray"), "start", "--head", "--block",
        f"--port={port}", f"--ray-client-server-port={client}", "--num-cpus=0", "--num-gpus=0",
        f"--resources={json.dumps(OWN)}", "--include-dashboard=false",
        f"--autoscaling-config={folder / 'cluster.yaml'}", f"--temp-dir={folder / 'ray'}",
        "--object-store-memory=200000000", f"--dashboard-agent-listen-port={agent}",
    ]  # fmt: skip
    env = os.environ | {
        "AUTOSCALER_UPDATE_INTERVAL_S": "1", "RAY_FAKE_CLUSTER": "1", "RAY_AUTH_MODE": "disabled",
        "RAY_enable_autoscaler_v2": "1", "RAY_CLOUD_INSTANCE_ID": FAKE_HEAD_NODE_ID,
        "RAY_OVERRIDE_NODE_ID_FOR_TESTING": FAKE_HEAD_NODE_ID, "HOME": str(folder),
    }  # fmt: skip
    log = folder / "log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, env=env, start_new_session=True, stdout=out, stderr=subprocess.STDOUT
        )
    try:
        deadline = time.monotonic() + DEADLINE_S
        while UP not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)
        yield address, agent
    finally:
        end(process)
        shutil.rmtree(folder)


def end(process):
    """Ends a head and, since they are of its session, the nodes that its autoscaler started."""
    listed = ["ps", "-o", "pid=", "-s", str(process.pid)]
    while pids := subprocess.run(
        listed, capture_output=True, text=True, check=False
    ).stdout.split():
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(pid), signal.SIGKILL)
        process.poll()
        time.sleep(0.1)


def test_a_job_starts_the_nodes_that_it_needs(head, store):
    """KD on the node with a GPU, which was not there before; the driver stays on the head."""
    make_task.stored(store, "bars", seed=1)
    config = CollectConfig(
        datasets=("bars",), space=TINY, teacher=TEACH, kd=KD, students=2, store=store.uri,
        address=head[0],
    )  # fmt: skip
    # A Ray that an earlier test started in this process left RAY_AUTH_MODE=token behind. A driver
    # that wants a token of the head, which has none, is told that nobody holds its actor any more.
    done = subprocess.run(
        [sys.executable, "-m", "tests.cluster.growing", config.model_dump_json()],
        cwd=ROOT, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
        env=os.environ | {"RAY_AUTH_MODE": "disabled"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["runs"] == 2
    assert found["driver"] == FAKE_HEAD_NODE_ID
    assert not {"CPU", "GPU"} & found["nodes"][FAKE_HEAD_NODE_ID].keys()
    assert set(found["board"]) == {FAKE_HEAD_NODE_ID}
    (kd,) = found["kd"]
    assert found["nodes"][kd]["GPU"] == 1
    assert found["nodes"][kd]["accelerator_type:T4"] == 1


def test_the_images_health_check(head):
    """It succeeds where a raylet answers, and fails where none does."""
    _, option, code = json.loads(those("HEALTHCHECK")[0].partition("CMD")[2])
    assert ":52365/" in code

    def healthy(port):
        asked = code.replace("52365", str(port))
        return subprocess.run(
            [sys.executable, option, asked], stderr=subprocess.DEVNULL, check=False
        )

    deadline = time.monotonic() + DEADLINE_S
    while healthy(head[1]).returncode:
        assert time.monotonic() < deadline
    assert healthy(free_ports(1)[0]).returncode
