"""A simulated collect against sums that can be done by hand."""

import pytest

from dass_ray.bench.simulate import Cluster, Costs, Plan, shards, simulate

FREE = dict.fromkeys(
    ["submit", "submit_run", "handle", "handle_run", "wait", "gap", "commit", "make", "startup"], 0
)
ONE = Cluster(nodes=1, slots=1, link=1e9, shared=0, puts=1e9)
TEN = Plan([10.0] * 100, task=1000, shard_seconds=10.0)


def outcome(plan=TEN, cluster=ONE, **costs):
    return simulate(plan, cluster, Costs(**FREE | costs))


def test_nothing_is_lost_where_nothing_costs():
    found = outcome()
    assert found.wall == pytest.approx(1000)
    assert found.efficiency == pytest.approx(1)
    assert outcome(cluster=Cluster(5, 2, 1e9, 0, 1e9)).wall == pytest.approx(100)


@pytest.mark.parametrize(
    ("costs", "share", "lost"),
    [
        ({"startup": 20}, "startup", 20),
        ({"make": 30}, "data", 30),
        ({"commit": 0.5}, "commit", 50),
        ({"gap": 0.2}, "gap", 20),
    ],
)
def test_what_a_slot_does_beside_kd(costs, share, lost):
    found = outcome(**costs)
    assert found.wall == pytest.approx(1000 + lost)
    assert found.limit == share
    assert found.slots[share] == pytest.approx(lost / found.wall)
    assert sum(found.slots.values()) == pytest.approx(1)


def test_a_driver_that_is_too_slow_is_the_limit():
    """Ten slots want a task a second, and the driver makes one in four."""
    found = outcome(cluster=Cluster(1, 10, 1e9, 0, 1e9), submit=3, handle=1)
    assert found.limit == "driver"
    assert found.driver > 0.9
    assert found.wall == pytest.approx(400, rel=0.1)


def test_what_is_in_flight_costs_the_driver_time():
    assert outcome(wait=0.1).driver > outcome(wait=0.01).driver > 0


def test_a_store_that_takes_few_commits_is_the_limit():
    found = outcome(cluster=Cluster(1, 20, 1e9, 0, puts=1))
    assert found.limit == "commit"
    assert found.wall == pytest.approx(100, rel=0.2)
    assert found.store > 0.8


def test_data_spread_from_node_to_node():
    """One holder, then two, four and eight: the last of eight nodes has it after three sends."""
    plan = Plan([10.0] * 8, task=1000, shard_seconds=10.0)
    found = outcome(plan, Cluster(8, 1, link=1.0, shared=5.0, puts=1e9))
    assert found.wall == pytest.approx(3 * 5 + 10)


def test_shards_are_cut_as_the_driver_cuts_them():
    found = list(shards(Plan([1.0] * 500, task=200, shard=40, shard_seconds=30.0), slots=1))
    assert [task for task, _ in found] == sorted(task for task, _ in found)
    assert sum(len(runs) for _, runs in found) == 500
    assert max(len(runs) for _, runs in found) == 30
    assert len(found[-1][1]) <= 2  # the last ones are short
