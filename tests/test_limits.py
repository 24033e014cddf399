import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dass_ray import limits as module
from dass_ray.cost import Cost, cost
from dass_ray.errors import UserError
from dass_ray.limits import Costs, Limits, sample_within
from dass_ray.space import MICRO

from .make import TINY, few
from .make_latency import latency_table


def rng(seed=0):
    return np.random.default_rng(seed)


def costs(space=MICRO, classes=3, table=None):
    return Costs(space, classes, table)


@pytest.fixture(scope="module")
def table():
    return latency_table()


def test_prices_are_those_of_cost_and_table(table):
    drawn = TINY.sample(20, rng())
    found, plain = costs(TINY, 5, table)(drawn), cost(TINY, drawn, 5)
    assert found.params.tolist() == plain.params.tolist()
    assert found.flops.tolist() == plain.flops.tolist()
    assert found.latency.tolist() == table.milliseconds(drawn).tolist()
    assert costs(TINY)(drawn).latency is None


def test_limits_by_hand():
    used = Cost(
        np.array([50, 100, 101, 300]), np.array([900, 1000, 500, 1001]),
        np.array([1.0, 3.0, 2.0, 2.5]),
    )  # fmt: skip
    every = Limits(params=100, flops=1000, latency=2.5)
    assert every.excess(used) == pytest.approx(
        np.array([[-0.5, -0.1, -0.6], [0, 0, 0.2], [0.01, -0.5, -0.2], [2, 0.001, 0]])
    )
    assert every.met(used).tolist() == [True, False, False, False]
    assert Limits(params=100, flops=1000).met(used).tolist() == [True, True, False, False]
    assert Limits(params=100).met(used).tolist() == [True, True, False, False]
    assert Limits(flops=1000).met(used).tolist() == [True, True, True, False]
    assert Limits(latency=2.5).met(used).tolist() == [True, False, True, True]
    assert Limits().met(used).all()
    assert (Limits().excess(used) == -1).all()


def test_without_a_limit_on_latency_it_need_not_be_known():
    used = Cost(np.array([50, 101]), np.array([1, 1]))
    assert Limits(params=100).excess(used) == pytest.approx(
        np.array([[-0.5, -1, -1], [0.01, -1, -1]])
    )


@pytest.mark.parametrize("field", ["params", "flops", "latency"])
def test_a_limit_is_positive(field):
    for wrong in (0, -5):
        with pytest.raises(ValidationError, match=field):
            Limits(**{field: wrong})


def test_limits_that_no_student_meets():
    (params,), (flops,) = (
        getattr(cost(TINY, TINY.pack([TINY.smallest]), 3), name) for name in ("params", "flops")
    )
    params, flops = int(params), int(flops)
    Limits(params=params, flops=flops).check(costs(TINY))
    for limits in (Limits(params=params - 1), Limits(flops=flops - 1)):
        with pytest.raises(
            UserError, match=rf"smallest one has {params:,} param.* {flops:,} FLOPs;"
        ):
            limits.check(costs(TINY))
    with pytest.raises(UserError, match="no student of 'tiny'"):
        Limits(params=params).check(costs(TINY, 4))  # one more class


def test_a_latency_that_no_student_meets(table):
    least = float(table.milliseconds(TINY.pack([TINY.smallest]))[0])
    Limits(latency=1.001 * least).check(costs(TINY, 3, table))
    with pytest.raises(UserError, match=rf"FLOPs and {least:.3g} ms; raise limits"):
        Limits(latency=0.999 * least).check(costs(TINY, 3, table))


def test_samples_meet_a_limit_on_latency(table, monkeypatch):
    monkeypatch.setattr(module, "_WALKS", 256)
    price = costs(TINY, 3, table)
    ms = np.sort(price(np.unique(TINY.sample(4000, rng()), axis=0)).latency)
    found = sample_within(price, Limits(latency=float(ms[9])), 99, rng())
    assert len(found) == 10  # all of them
    assert price(TINY.pack(found)).latency.max() <= ms[9]


def between(space, share, name):
    """A limit at a share of the way from the smallest to the largest student."""
    low, high = getattr(cost(space, space.pack([space.smallest, space.teacher]), 3), name)
    return int(low + share * (high - low))


@few
@given(st.floats(0.02, 1), st.floats(0.02, 1), st.integers(1, 20), st.integers(0, 99))
def test_samples_meet_the_limits(params, flops, n, seed):
    limits = Limits(params=between(MICRO, params, "params"), flops=between(MICRO, flops, "flops"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WALKS", 256)
        found = sample_within(costs(), limits, n, rng(seed))
        assert found == sample_within(costs(), limits, n, rng(seed))
    assert len(set(found)) == len(found) == n
    assert limits.met(cost(MICRO, MICRO.pack(found), 3)).all()
    for spec in found:
        MICRO.check(spec)


def test_loose_limits_leave_the_uniform_draw():
    some = sample_within(costs(), Limits(), 1000, rng())
    depths = np.array([[len(stage) for stage in spec.stages] for spec in some])
    assert depths.mean(axis=0) == pytest.approx(np.full(4, 3.0), abs=0.2)


def test_a_small_space_gives_all_that_it_has(monkeypatch):
    monkeypatch.setattr(module, "_WALKS", 100)
    for n in (72, 73):
        found = sample_within(costs(TINY), Limits(), n, rng())
        assert len(set(found)) == len(found) == 72


def test_the_corner_of_one_student(monkeypatch):
    monkeypatch.setattr(module, "_WALKS", 32)
    least = Limits(params=between(MICRO, 0, "params"))
    assert sample_within(costs(), least, 5, rng()) == [MICRO.smallest]


def test_a_corner_is_reached_that_uniform_draws_miss():
    limits = Limits(params=between(MICRO, 0.002, "params"))
    drawn = MICRO.sample(20_000, rng())
    assert not limits.met(cost(MICRO, drawn, 3)).any()
    found = sample_within(costs(), limits, 15, rng())
    assert len(set(found)) == 15
    assert limits.met(cost(MICRO, MICRO.pack(found), 3)).all()


def test_no_student_is_drawn_from_limits_that_none_meets():
    with pytest.raises(UserError, match="no student of 'micro' meets the limits"):
        sample_within(costs(), Limits(params=5), 1, rng())
