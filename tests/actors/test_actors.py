"""Ray tasks and actors, with a real Ray."""

import os
import re
import subprocess
import sys
import time

import pytest
import ray

from dass_ray.actors import board, kd_worker
from dass_ray.actors.nodes import NodeError, Nodes, cause
from dass_ray.actors.pool import bounded
from dass_ray.actors.session import _check, check_fits, has_gpus, ray_session, room, slots
from dass_ray.config import Resources
from dass_ray.errors import UserError


@pytest.fixture(scope="module", autouse=True)
def session():
    with ray_session():
        yield


def double(x):
    return 2 * x


def refuse(x):
    raise UserError(f"{x} is refused")


def die_once(path):
    """Kills its own worker process the first time."""
    if not os.path.exists(path):
        with open(path, "w"):
            os._exit(1)
    return "alive"


def test_every_item_once_with_its_own_result():
    submit = kd_worker.remote(double, {"num_cpus": 0.5})
    assert sorted(bounded(range(7), submit, 2)) == [(i, 2 * i) for i in range(7)]


def test_the_window_bounds_what_is_in_flight():
    flying, most = set(), 0
    submit = kd_worker.remote(double, {"num_cpus": 0.5})

    def watched(item):
        nonlocal most
        flying.add(item)
        most = max(most, len(flying))
        return submit(item)

    for item, _ in bounded(range(9), watched, 3):
        flying.remove(item)
    assert most == 3


def test_a_users_error_in_a_task_names_its_node():
    ((_, result),) = bounded([5], kd_worker.remote(refuse, {"num_cpus": 0.5}), 1)
    error = cause(result)
    assert isinstance(error, NodeError)
    assert (str(error), error.node) == ("5 is refused", ray.nodes()[0]["NodeID"])


def test_where_no_node_is_left_its_error_is_the_users():
    nodes = Nodes()
    nodes.check({"num_cpus": 1.0})
    error = NodeError("its disk is full: mend it", ray.nodes()[0]["NodeID"])
    with pytest.raises(UserError, match=r"^its disk is full: mend it$"):
        nodes.leave_out(error, {"num_cpus": 1.0})
    assert nodes.told() == [f"node {error.node[:8]}: its disk is full: mend it"]


def test_a_worker_of_another_version_is_refused(monkeypatch):
    """The driver says another version than its workers find in their installation."""
    monkeypatch.setattr("dass_ray.actors.nodes.SCHEMA_VERSION", 9)
    ((_, result),) = bounded([5], kd_worker.remote(double, {"num_cpus": 0.5}), 1)
    assert isinstance(cause(result), NodeError)
    assert re.search(
        r"this node has dass-ray [\d.]+ \(schema 1\), the driver has [\d.]+ \(schema 9\): "
        "install the same version on all nodes",
        str(cause(result)),
    )


def test_another_error_is_a_result():
    ((item, result),) = bounded([None], kd_worker.remote(double, {"num_cpus": 0.5}), 1)
    assert item is None
    assert isinstance(result, Exception)
    assert "TypeError" in str(result)


def test_a_lost_worker_process_is_retried(tmp_path):
    submit = kd_worker.remote(die_once, {"num_cpus": 0.5})
    ((_, result),) = bounded([str(tmp_path / "was-here")], submit, 1)
    assert result == "alive"


def test_the_board_has_the_newest_epoch():
    shared = board.start()
    tell = board.teller(shared, "teacher")
    tell(1, 4, 0.25)
    tell(2, 4, 0.5)
    deadline = time.monotonic() + 30
    while ray.get(shared.read.remote()) != {"teacher": (2, 4, 0.5)}:
        assert time.monotonic() < deadline
    assert board.teller(None, "teacher") is None


def test_demand_and_slots_follow_the_cluster():
    cpus = int(ray.cluster_resources()["CPU"])
    demand = kd_worker.demand(Resources(cpus_per_run=1))
    assert ("num_gpus" in demand) == has_gpus()
    assert slots({"num_cpus": 1.0}) == cpus
    assert slots({"num_cpus": 0.5}) == room({"num_cpus": 0.5}) == 2 * cpus
    assert slots({"num_cpus": 10.0 * cpus}) == 1  # as before the nodes are back
    check_fits({"num_cpus": cpus})
    with pytest.raises(UserError, match=r"more than the cluster has: lower resources"):
        check_fits({"num_cpus": 10.0 * cpus})


@pytest.mark.parametrize("address", ["127.0.0.1:1", "ray://127.0.0.1:1", "127.0.0.1:port"])
def test_an_address_where_nothing_listens(address):
    with pytest.raises(UserError, match=r"^no Ray cluster answers at '.*check --address"):
        _check(address)


def test_a_ray_that_does_not_start_is_told_in_one_line(tmp_path):
    """Its sockets want short paths."""
    deep = tmp_path / ("deep" * 20)
    deep.mkdir()
    code = "from dass_ray.actors.session import ray_session\nwith ray_session(cpus=1): pass"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"RAY_TMPDIR": str(deep)},
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    said = done.stderr.splitlines()[-1]
    assert said.startswith("dass_ray.errors.UserError: Ray did not start on this machine (")
    assert said.endswith("then try again")


def test_a_second_session_joins_the_first():
    before = ray.get_runtime_context().get_job_id()
    with ray_session():
        assert ray.get_runtime_context().get_job_id() == before
    assert ray.is_initialized()
