import pytest

from dass_ray import latencies
from dass_ray.errors import UserError

from .make import Memory
from .make_latency import SETUP, latency_table


def test_round_trip(store):
    table = latency_table()
    assert latencies.find(store, "laptop", SETUP) is None
    assert latencies.commit(store, "laptop", table) == table
    assert store.list("latencies") == ["latencies/laptop/table.json"]
    assert latencies.load(store, "laptop") == table
    assert latencies.find(store, "laptop", SETUP) == table


def test_names_are_sorted():
    store = Memory()
    for name in ("z.1", "a"):
        latencies.commit(store, name, latency_table())
    assert latencies.names(store) == ["a", "z.1"]


def test_the_first_writer_of_the_same_setup_counts():
    store = Memory()
    first, second = latency_table(noise=0.1), latency_table(noise=0.2)
    latencies.commit(store, "laptop", first)
    assert latencies.commit(store, "laptop", second) == first != second


@pytest.mark.parametrize("changed", [{"batch": 2}, {"device": "sextant"}, {"seed": 1}])
def test_a_name_that_other_settings_have(changed):
    store = Memory()
    latencies.commit(store, "laptop", latency_table())
    other = latency_table(**changed)
    message = r"'laptop' was measured with other settings \(tiny, 3 classes, abacus, 1 image"
    with pytest.raises(UserError, match=message):
        latencies.find(store, "laptop", other.setup)
    with pytest.raises(UserError, match=message):
        latencies.commit(store, "laptop", other)


def test_a_name_that_is_not_there():
    store = Memory()
    with pytest.raises(UserError, match="known: none yet; `dass-ray latency measure NAME`"):
        latencies.load(store, "laptop")
    latencies.commit(store, "desk", latency_table())
    for name in ("laptop", "../desk", ""):
        with pytest.raises(UserError, match=f"no latency table '{name}' in memory://; known: desk"):
            latencies.load(store, name)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "x" * 101, "x\n"])
def test_what_cannot_be_a_name(name):
    with pytest.raises(UserError, match="cannot name a latency table"):
        latencies.find(Memory(), name, SETUP)
