from itertools import islice

import numpy as np
import pytest

from dass_ray.cost import cost
from dass_ray.sampling import CHUNK, first_over_cost, over_cost, over_widths
from dass_ray.space import MICRO, PAPER

from .make import ODD, TINY, specs


def shares(space, found, bins=8):
    """How many students lie in each of equal parts of the scale of log FLOPs."""
    ends = np.log(cost(space, space.pack([space.smallest, space.teacher]), 1).flops)
    logs = np.log(cost(space, space.pack(found), 1).flops)
    return np.histogram(logs, bins=np.linspace(*ends, bins + 1))[0]


@pytest.mark.parametrize("space", [MICRO, PAPER], ids=["micro", "paper"])
@pytest.mark.parametrize("n", [64, 800])
def test_students_lie_evenly_over_log_flops(space, n):
    found = first_over_cost(space, 3, n)
    assert np.abs(shares(space, found) - n / 8).max() < 0.15 * n / 8 + 2
    even = space.unpack(space.sample(n, np.random.default_rng(3)))
    assert shares(space, even)[:2].sum() < n / 20  # what the plain way hardly ever gives


def test_students_also_differ_at_one_cost():
    found = first_over_cost(MICRO, 0, 400)
    costs = cost(MICRO, MICRO.pack(found), 1)
    ratio = np.log(costs.flops / costs.params)
    assert ratio.std() > 0.2
    assert len({len(stage) for spec in found for stage in spec.stages}) == 5


@pytest.mark.parametrize("space", [TINY, MICRO, ODD], ids=lambda space: space.name)
def test_all_differ_and_lie_in_the_space(space):
    found = list(islice(over_cost(space, 0), CHUNK + 10))
    assert len(set(found)) == len(found)
    for spec in found[:200]:
        space.check(spec)


def test_more_students_are_the_same_ones_and_others():
    few, many = first_over_cost(MICRO, 5, 10), first_over_cost(MICRO, 5, 2 * CHUNK)
    assert many[:10] == few


def test_the_seed_decides():
    assert first_over_cost(MICRO, 1, 5) == first_over_cost(MICRO, 1, 5)
    assert first_over_cost(MICRO, 1, 5) != first_over_cost(MICRO, 2, 5)


def test_others_are_left_out():
    first = first_over_cost(TINY, 0, 9)
    again = first_over_cost(TINY, 0, 9, other=first[:4])
    assert again[:5] == first[4:]


def test_a_small_space_is_used_up():
    """TINY has (3 + 9) x (1 + 5) students."""
    assert tuple(map(len, TINY.choices)) == (3, 5)
    assert len(list(over_cost(TINY, 0))) == 12 * 6
    assert len(over_widths(TINY, 0, [], 100)) == 12 * 6


def test_over_widths_keeps_the_first():
    first = list(dict.fromkeys(specs(TINY, 5, seed=9)))
    found = over_widths(TINY, 0, first, 12)
    assert found[: len(first)] == first
    assert len(set(found)) == len(found) == 12
