import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dass_ray.explore.front import crowding, is_front, order

from ..make import few

values = st.tuples(st.integers(1, 25), st.integers(1, 3)).flatmap(
    lambda shape: arrays(np.float64, shape, elements=st.integers(0, 5).map(float))
)  # few different values, so that there are ties and equal rows


def dominates(a, b):
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(
        x < y for x, y in zip(a, b, strict=True)
    )


def front_by_pairs(some):
    return [not any(dominates(other, one) for other in some) for one in some]


@few
@given(values)
def test_front_is_what_no_other_dominates(some):
    before = some.copy()
    assert is_front(some).tolist() == front_by_pairs(some.tolist())
    assert np.array_equal(some, before)


@pytest.mark.parametrize("objectives", [1, 2, 3, 4])
def test_front_of_many_different_ones(objectives):
    some = np.random.default_rng(objectives).random((200, objectives))
    assert is_front(some).tolist() == front_by_pairs(some.tolist())
    assert is_front(some).sum() < 200


def test_of_equal_ones_all_are_in_the_front():
    some = np.array([[1, 2], [0, 3], [1, 2], [1, 3], [0, 3]], float)
    assert is_front(some).tolist() == [True, True, True, False, True]
    assert is_front(some[:, :1]).tolist() == [False, True, False, False, True]


def ranks(some):
    """The number of each one's front, peeled off by pairs."""
    left, found, number = list(range(len(some))), [0] * len(some), 0
    while left:
        front = [i for i in left if not any(dominates(some[j], some[i]) for j in left)]
        for i in front:
            found[i] = number
        left, number = [i for i in left if i not in front], number + 1
    return found


@few
@given(values, st.data())
def test_order_by_feasibility_front_and_crowding(some, data):
    n = len(some)
    amounts = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0]), min_size=n, max_size=n)
    violation = np.array(data.draw(amounts))
    found = order(some, violation, n)
    assert sorted(found) == list(range(n))
    feasible = np.flatnonzero(violation <= 0)
    count = len(feasible)
    assert set(found[:count]) == set(feasible)
    assert (np.diff(violation[found[count:]]) >= 0).all()
    rank = dict(zip(feasible.tolist(), ranks(some[feasible].tolist()), strict=True))
    along = [rank[i] for i in found[:count].tolist()]
    assert along == sorted(along)
    for number in set(along):
        front = [i for i in feasible.tolist() if rank[i] == number]
        distance = dict(zip(front, crowding(some[front]), strict=True))
        mine = [distance[i] for i in found[:count].tolist() if rank[i] == number]
        assert mine == sorted(mine, reverse=True)


@few
@given(values, st.integers(0, 30))
def test_the_first_ones_of_an_order(some, most):
    """What is left out does not change what is in."""
    violation = np.where(np.arange(len(some)) % 3 == 2, 1.0, 0.0)
    whole = order(some, violation, len(some))
    assert order(some, violation, most).tolist() == whole[:most].tolist()


def test_order_by_hand():
    some = np.array([[3, 3], [0, 4], [2, 2], [4, 0], [1.9, 2.1], [9, 9], [0, 0]], float)
    violation = np.array([0, 0, -0.5, 0, 0, 0.7, 0.2])
    # front: 1 and 3 its ends, then 2 before 4 (see below); behind it 0; outside 6 then 5
    assert order(some, violation, 7).tolist() == [1, 3, 2, 4, 0, 6, 5]


def test_of_one_objective_the_least_is_first():
    some = np.array([3.0, 1, 2, 1])[:, None]
    assert order(some, np.zeros(4), 4).tolist() == [1, 3, 2, 0]


def test_crowding_by_hand():
    front = np.array([[0, 10], [4, 4], [10, 0], [1, 6]], float)
    # sorted by the first: 0 1 4 10; by the second: 0 4 6 10
    expected = [np.inf, (10 - 1) / 10 + (6 - 0) / 10, np.inf, (4 - 0) / 10 + (10 - 4) / 10]
    assert crowding(front).tolist() == pytest.approx(expected)


def test_crowding_where_there_is_no_crowd():
    assert crowding(np.array([[1.0, 2.0]])).tolist() == [np.inf]
    assert crowding(np.array([[1.0, 2.0], [2.0, 1.0]])).tolist() == [np.inf, np.inf]
    flat = crowding(np.ones((4, 2)))
    assert not np.isnan(flat).any()
    assert np.isinf(flat).sum() == 2


@pytest.mark.parametrize("objectives", [1, 2, 3])
def test_none_are_ordered(objectives):
    none = np.empty((0, objectives))
    assert order(none, np.empty(0), 5).tolist() == []
    assert is_front(none).tolist() == []
