"""What the driver makes of each end of a task; no Ray is started."""

from types import SimpleNamespace

import pytest
from ray.exceptions import (
    NodeDiedError,
    ObjectLostError,
    OutOfMemoryError,
    RayTaskError,
    WorkerCrashedError,
)

from dass_ray import ledger, plan
from dass_ray.actors.kd_worker import Done, How
from dass_ray.actors.nodes import NodeError, Nodes, WorkerLost
from dass_ray.collect import distilling
from dass_ray.collect.attempts import MOST
from dass_ray.collect.distilling import Rules, _Driver, done_keys
from dass_ray.collect.tally import Tally
from dass_ray.config import Resources
from dass_ray.errors import UserError
from dass_ray.watch import Silent

from ..make import TINY, Memory, row, run, specs

RUNS = [run(spec=str(spec)) for spec in dict.fromkeys(specs(TINY, 300))][:25]


class Materials:
    """Counts what was lost."""

    losses = 0

    def images(self, dataset):
        return 66

    def lost(self, one, shared):
        self.losses += 1
        return self.losses

    def forget(self, one):
        pass

    def served(self, one):
        self.losses = 0


class TwoNodes(Nodes):
    """Of which one at the most is left out."""

    def check(self, demand, workers):
        assert len(self.left_out) == 1


def driver(max_failed=1.0):
    rules = Rules(How(), shard=4, max_failed=max_failed)
    tally = Tally(total=25, done=0, slots=1, log=None)
    given = {one.key: () for one in RUNS}
    return _Driver(
        Memory(), {"num_cpus": 1}, rules, Silent(), tally, Materials(), TwoNodes(), given=given
    )


def task_error(cause):
    return RayTaskError("distil_shard", "Traceback ...\nValueError: a bug", cause)


@pytest.mark.parametrize("depth", [1, 2], ids=["of the task", "of what it needs"])
def test_a_node_that_cannot_work_is_left_out(depth):
    error = NodeError("its disk is full: mend it", "n" * 56)
    for _ in range(depth):
        error = task_error(error)
    found = driver()
    for _ in range(9):  # as often as tasks were on their way there
        found._ended(RUNS[:3], error)
    assert list(found.attempts.again) == [RUNS[:3]] * 9
    assert found.nodes.told() == ["node nnnnnnnn: its disk is full: mend it"]
    assert found.nodes.options() == {"label_selector": {"ray.io/node-id": f"!in({'n' * 56})"}}
    assert (found.broken, found.attempts.crashes) == ({}, {})


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (WorkerCrashedError(), str(WorkerCrashedError()).splitlines()[-1]),
        (OutOfMemoryError("Refer to the documentation"), "the memory of its node was used up"),
    ],
)
def test_a_crash_counts(error, why):
    found = driver()
    found._ended(RUNS[:3], error)
    assert list(found.attempts.again) == [[one] for one in RUNS[:3]]
    for _ in range(MOST):
        found._ended(RUNS[:1], error)
    (only,) = ledger.rows(ledger.read(found.store))
    assert (only.key, only.status) == (RUNS[0].key, "failed")
    assert only.error.startswith(f"its worker crashed {MOST} times: {why}")
    assert found.tally.done == 1


def test_a_lost_node_does_not():
    found = driver()
    for _ in range(MOST + 5):
        found._ended(RUNS[:3], NodeDiedError("gone"))
        assert found.attempts.again.pop() == RUNS[:3]
    assert len(ledger.read(found.store)) == 0


@pytest.mark.parametrize(
    "error", [ObjectLostError("0" * 56, None, ""), task_error(WorkerCrashedError())]
)
def test_lost_material_is_made_again_a_few_times(error):
    found = driver()
    for _ in range(MOST):
        found._ended(RUNS[:3], error)
        assert found.attempts.again.pop() == RUNS[:3]
    assert not found.broken
    found._ended(RUNS[:3], error)
    assert list(found.broken) == [RUNS[0].teacher.id]
    assert not found.attempts.again


def test_nodes_may_die_for_as_long_as_runs_get_done():
    found = driver()
    for number in range(3 * MOST):
        found._ended(RUNS[:3], ObjectLostError("0" * 56, None, ""))
        assert found.attempts.again.pop() == RUNS[:3]
        found._ended(RUNS[number : number + 1], Done(rows(*["ok"]), 1.0))
    assert not found.broken


@pytest.mark.parametrize("done", [0, 1])
def test_what_a_node_that_goes_has_left_is_done_elsewhere(done):
    found = driver()
    found._ended(RUNS[:3], Done(rows(*["ok"] * done), 1.0, left=RUNS[done:3]))
    assert list(found.attempts.again) == [RUNS[done:3]]
    assert found.tally.done == done


def test_a_fault_of_ours_breaks_the_task():
    found = driver()
    found._ended(RUNS[:3], task_error(ValueError("a bug")))
    assert found.broken[RUNS[0].teacher.id].endswith("could not be distilled: ValueError: a bug")


def rows(*statuses):
    return [row(RUNS[i].key, status=status) for i, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("statuses", "stops"),
    [
        (["ok"] * 25, False),
        (["failed"] * 2 + ["ok"] * 4, False),  # 2 of the 20 that may be looked at first
        (["failed", "diverged", "failed"], True),
        (["ok"] * 22 + ["failed"] * 3, True),
        (["ok"] * 23 + ["diverged"] * 2, False),
    ],
)
def test_a_share_of_failures_stops(statuses, stops):
    found = driver(max_failed=0.1)
    if not stops:
        found._ended(RUNS[: len(statuses)], Done(rows(*statuses), 1.0))
        return
    with pytest.raises(UserError, match=r"^3 of the first \d+ runs failed or diverged"):
        found._ended(RUNS[: len(statuses)], Done(rows(*statuses), 1.0))


@pytest.mark.parametrize(
    ("asked", "demand", "found"),
    [
        ("auto", {"num_cpus": 1.0, "num_gpus": 1.0}, {"num_gpus": 0.125}),
        ("auto", {"num_cpus": 1.0}, {}),
        (0.25, {"num_cpus": 1.0, "num_gpus": 0.25}, {}),
    ],
)
def test_the_share_of_a_gpu_is_measured_where_it_is_to_be(monkeypatch, asked, demand, found):
    measured = []
    monkeypatch.setattr(distilling, "read_card", lambda _store, _name: card(66))
    monkeypatch.setattr(
        distilling.gpu_share, "measured", lambda *given: measured.append(given) or 0.125
    )
    resources = Resources(gpus_per_run=asked)
    share = distilling._measured_share(resources, demand, Memory(), plan.blocks_of(RUNS))
    assert share == found
    assert [one[1].spec for one in measured] == [str(TINY.teacher)] * len(found)


def card(images):
    return SimpleNamespace(counts={"train": images})


def test_a_search_does_again_what_has_a_row_but_no_weights():
    """A collect keeps no weights; what went wrong has none to be kept."""
    store = Memory()
    ledger.commit(store, [row(key) for key in ("kept", "bare")] + [row("bad", status="diverged")])
    store.put("students/kept.safetensors", b"weights")
    keys = ["kept", "bare", "bad"]
    assert done_keys(store, How()).holds(keys).tolist() == [True, True, True]
    assert done_keys(store, How(keep_weights=True)).holds(keys).tolist() == [True, False, True]


def test_a_worker_of_several_that_crashed_counts_and_one_whose_node_died_does_not():
    found = driver()
    for _ in range(9):
        found._ended(RUNS[:1], task_error(WorkerLost("its node has died", True)))
    assert not found.attempts.crashes
    for _ in range(MOST):
        found._ended(RUNS[:1], task_error(WorkerLost("killed by 9", False)))
    (failed,) = ledger.read(found.store).to_pylist()
    assert failed["error"] == f"its worker crashed {MOST} times: killed by 9"
    assert not found.broken
