"""A training on two workers of a real Ray, and what is made of each way in which it can end."""

import threading
import time

import psutil
import pytest
import ray
import torch
from ray.exceptions import ObjectLostError
from ray.train.v2._internal.exceptions import WorkerHealthCheckFailedError

from dass_ray import ledger
from dass_ray.actors import data_parallel, kd_worker
from dass_ray.actors.data_parallel import OfTheWork, Workers, cause, check_divides, distil_together
from dass_ray.actors.kd_worker import Done, How
from dass_ray.actors.limit import TooLong
from dass_ray.actors.nodes import NodeError, Nodes, WorkerLost
from dass_ray.actors.session import check_fits, ray_session, room, slots
from dass_ray.collect import distil_all
from dass_ray.config import Resources, StoreConfig
from dass_ray.errors import UserError
from dass_ray.kd import group
from dass_ray.kd.checkpoint import Leaving
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan, find_card
from dass_ray.models.weights import from_bytes
from dass_ray.records import Run
from dass_ray.space import Spec
from dass_ray.watch import Silent

from .. import make_task
from ..make import KD, TEACH, TINY
from ..make import run as some_run


class Killer(threading.Thread):
    """Kills the first worker of Ray Train that it sees."""

    def __init__(self):
        super().__init__(daemon=True)
        self.killed = False

    def run(self):
        while not self.killed:
            time.sleep(0.1)
            for process in psutil.Process().children(recursive=True):
                self.killed = self.killed or self.kill(process)

    def kill(self, process):
        try:
            if not process.cmdline()[0].startswith("ray::RayTrainWorker"):
                return False
            process.kill()
        except (psutil.NoSuchProcess, psutil.ZombieProcess, IndexError):
            return False
        return True


@pytest.fixture
def task(store):
    """A teacher in the store, and what its runs share."""
    make_task.stored(store)
    card = kd_worker.train_teacher(store.uri, "tinges", TeacherPlan(TINY, TEACH, 0))
    data = kd_worker.load_data(store.uri, "tinges", TINY.image_size)
    teacher = kd_worker.load_teacher(store.uri, card)
    return card, (data, teacher, kd_worker.make_soft_labels(store.uri, card, KD, data, teacher))


def test_a_run_on_two_workers_is_that_of_one(store, task):
    """Also where one of them is killed."""
    card, (data, teacher, labels) = task
    wanted = Run(teacher=card, spec="4/6-8", recipe=KD, seed=0)
    killer = Killer()
    killer.start()
    with ray_session(cpus=2):
        config = StoreConfig(store=store.uri, resources=Resources(workers_per_run=2))
        distil_all(config, [wanted], Silent(), shard=4, keep_weights=True)
    assert killer.killed
    (row,) = ledger.read(store).to_pylist()
    alone = distil(Spec.parse(wanted.spec), teacher, labels.unpack(), data.unpack(), KD, 0)
    assert (row["status"], row["device"]) == ("ok", "2 x cpu")
    assert row["curve"] == pytest.approx(alone.trained.curve, abs=1.01 / 30)
    path = f"students/{wanted.key}.safetensors"
    kept = from_bytes(store.get(path), path)
    for name, value in alone.net.state_dict().items():
        torch.testing.assert_close(kept[name], value, rtol=1e-3, atol=1e-3)
    assert store.list("checkpoints") == []


def test_what_each_worker_does(store, task, monkeypatch):
    """Here it is the only one."""
    card, shared = task
    monkeypatch.setattr(ray, "get", lambda refs: refs)
    wanted = Run(teacher=card, spec="4/6-8", recipe=KD, seed=1)
    config = {"uri": store.uri, "run": wanted, "shared": shared, "how": How(max_seconds=60)}
    done = data_parallel._distil(config)
    (row,) = ledger.read(store).to_pylist()
    assert [found.key for found in done.rows] == [row["key"]] == [wanted.key]
    plan = TeacherPlan(TINY, TEACH, 1)
    config = {"uri": store.uri, "dataset": "tinges", "plan": plan, "progress": None}
    taught = data_parallel._teach(config)
    assert taught == find_card(store, plan.id(shared[0].unpack()))


def test_a_worker_whose_node_goes_leaves_its_run_and_its_teacher(store, task, monkeypatch):
    card, shared = task
    monkeypatch.setattr(ray, "get", lambda refs: refs)
    monkeypatch.setattr(data_parallel, "_leaving", lambda: True)
    wanted = Run(teacher=card, spec="4/6-8", recipe=KD, seed=2)
    config = {"uri": store.uri, "run": wanted, "shared": shared, "how": How()}
    done = data_parallel._distil(config)
    assert (done.rows, done.left) == ([], [wanted])
    plan = TeacherPlan(TINY, TEACH, 2)
    config = {"uri": store.uri, "dataset": "tinges", "plan": plan, "progress": None}
    assert data_parallel._teach(config) is None
    assert len(store.list("checkpoints")) == 2


def died(why):
    return WorkerHealthCheckFailedError("a health check failed", ray.exceptions.RayError(why))


@pytest.mark.parametrize(
    ("failures", "kind", "text"),
    [
        (
            {0: ValueError("late"), 1: NodeError("its disk is full", "n")},
            NodeError,
            "its disk is full",
        ),
        ({0: ValueError("late"), 1: ObjectLostError("o", None, "")}, ObjectLostError, ""),
        (
            {0: ValueError("late"), 1: died("The actor\nkilled by 9. A page.")},
            WorkerLost,
            "killed by 9",
        ),
        (
            {0: RuntimeError("[gloo/pair.cc] closed by peer\nx")},
            WorkerLost,
            "[gloo/pair.cc] closed by peer",
        ),
        ({0: group.OutOfStep("[3, 4]"), 1: group.OutOfStep("[3, 4]")}, WorkerLost, "[3, 4]"),
        ({1: ValueError("first"), 2: ValueError("late")}, OfTheWork, "ValueError: first"),
        ({1: RuntimeError("of memory")}, OfTheWork, "RuntimeError: of memory"),
    ],
    ids=["of a node", "of what was shared", "a worker", "a connection", "a race", "work", "memory"],
)
def test_what_failed_first(failures, kind, text):
    error = cause(failures)
    assert type(error) is kind
    assert text == str(error) or not text


@pytest.mark.parametrize("node", [True, False])
def test_a_node_that_died_is_told_from_a_process(node):
    what = "node" if node else "worker process"
    assert cause({0: died(f"The actor died because its {what} has died.")}).node is node


@pytest.fixture
def ends(monkeypatch):
    """Ray Train, which ends as told: by an exception, or with what the first worker gave."""

    def as_told(end):
        def fit(*_):
            if isinstance(end, Exception):
                raise end
            return end

        monkeypatch.setattr(ray, "get", lambda refs: refs)
        monkeypatch.setattr(data_parallel, "_fit", fit)

    return as_told


TWO = Workers(2, {"num_cpus": 1}, {})


def test_an_error_of_the_run_is_its_row(ends, store):
    ends(cause({0: TooLong("it took longer than max_seconds=1")}))
    done = distil_together(store.uri, [some_run()], (), How(), TWO)
    assert [(row.status, row.error) for row in done.rows] == [
        ("failed", "TooLong: it took longer than max_seconds=1")
    ]
    assert ledger.read(store)["key"].to_pylist() == [some_run().key]


@pytest.mark.parametrize(
    "error", [WorkerLost("gone", True), NodeError("full", "n"), OSError("no space")]
)
def test_what_is_no_fault_of_the_run_is_no_row(ends, store, error):
    ends(error)
    with pytest.raises(type(error)):
        distil_together(store.uri, [some_run()], (), How(), TWO)
    assert not len(ledger.read(store))


def test_a_run_that_left_its_node_is_left(ends, store):
    ends(Done([], 1.0, left=[some_run()]))
    assert distil_together(store.uri, [some_run()], (), How(), TWO).left == [some_run()]


def test_a_teacher_that_left_its_node_is_tried_again(ends, store):
    ends(None)
    with pytest.raises(Leaving):
        data_parallel.teach_together(store.uri, "x", TeacherPlan(TINY, TEACH, 0), None, TWO)


def test_a_limit_of_time(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    with data_parallel._limited(None) as check:
        assert check is None
    with data_parallel._limited(5) as check:
        check(1, 9, 0.5)
        now[0] = 5.5
        with pytest.raises(TooLong, match="max_seconds=5"):
            check(2, 9, 0.5)


def test_batches_that_have_no_equal_shares():
    check_divides(KD, 66, 4)
    with pytest.raises(UserError, match=r"^3 workers cannot share batches of 16 images equally"):
        check_divides(KD, 66, 3)
    with pytest.raises(UserError, match="of 11 images"):  # fewer than a batch
        check_divides(KD, 11, 2)


def test_gpus_are_whole_where_workers_share_a_run(monkeypatch):
    asked = []
    monkeypatch.setattr(kd_worker, "gets_gpus", lambda: True)
    monkeypatch.setattr(kd_worker, "check_fits", lambda *a: asked.append(a))
    demand = kd_worker.demand(Resources(workers_per_run=4))
    assert demand == {"num_cpus": 1, "num_gpus": 1}
    assert asked == [(demand, 4)]
    scaling = Workers(4, demand, {}).scaling()
    assert (scaling.num_workers, scaling.use_gpu) == (4, True)
    assert scaling.resources_per_worker == {"CPU": 1, "GPU": 1}


def test_workers_need_nodes_that_hold_each_as_a_whole(monkeypatch):
    nodes = [{"NodeID": n, "Alive": n != "c", "Resources": {"CPU": 3.0}} for n in "abc"]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 6.0})
    demand = {"num_cpus": 2.0}
    check_fits(demand, 2)
    assert (slots(demand), slots(demand, 2), room(demand, 2), slots(demand, 3)) == (2, 1, 1, 1)
    with pytest.raises(UserError, match=r"^a task asks for 6 CPU, more than the cluster has"):
        check_fits(demand, 3)
    monkeypatch.setattr(ray, "cluster_resources", lambda: {"CPU": 6.0, "max_cpus": 64.0})
    check_fits(demand, 3)  # the autoscaler's nodes are not known
    assert room(demand, 3) == 10


def test_a_node_that_is_left_out_takes_its_places_along(monkeypatch):
    nodes = [{"NodeID": n, "Alive": True, "Resources": {"CPU": 1.0}} for n in "ab"]
    monkeypatch.setattr(ray, "nodes", lambda: nodes)
    found = Nodes()
    found.leave_out(NodeError("its disk is full", "a"), {"num_cpus": 1})
    with pytest.raises(UserError, match="its disk is full"):
        found.check({"num_cpus": 1}, 2)
