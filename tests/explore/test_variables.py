import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.explore.variables import Blocks, Stages
from dass_ray.space import MICRO, PAPER, Spec

from ..make import MOBILE, ODD, TINY, few
from .make import SMALL, drawn

KINDS = {"blocks": Blocks, "stages": Stages}
kinds = st.sampled_from(list(KINDS.values()))
spaces = st.sampled_from([TINY, ODD, SMALL, MICRO, PAPER, MOBILE])
seeds = st.integers(0, 2**32 - 1)
STUDENTS = {"tiny": 72, "odd": 39 * 39 * 13, "mobile": 20 * 20}


@few
@given(kinds, spaces, seeds)
def test_round_trip(kind, space, seed):
    variables, specs = kind(space), drawn(space, 6, seed)
    params = variables.params(specs)
    again = variables.specs(params)
    assert again.dtype == np.int16
    assert np.array_equal(again, specs)
    for row in params:
        assert list(row) == list(variables.distributions)
        for name, distribution in variables.distributions.items():
            assert type(row[name]) is int
            assert distribution.low <= row[name] <= distribution.high


@few
@given(kinds, spaces, st.data())
def test_any_values_are_a_student(kind, space, data):
    variables = kind(space)
    rows = [
        {name: data.draw(st.integers(d.low, d.high)) for name, d in variables.distributions.items()}
        for _ in range(3)
    ]
    for spec in space.unpack(variables.specs(rows)):
        assert space.check(spec) == spec


@few
@given(spaces, st.data())
def test_a_stage_is_one_number_and_back(space, data):
    """Unlike blocks, of which some do not exist."""
    variables = Stages(space)
    row = {name: data.draw(st.integers(0, d.high)) for name, d in variables.distributions.items()}
    assert variables.params(variables.specs([row])) == [row]


@few
@given(spaces, seeds)
def test_blocks_that_do_not_exist_are_no_part_of_a_student(space, seed):
    variables, specs = Blocks(space), drawn(space, 1, seed)
    random = np.random.default_rng(seed)
    (params,) = variables.params(specs)
    for name, distribution in variables.distributions.items():
        stage, _, block = name[1:].partition(".")
        if block and int(block) >= params[f"d{stage}"]:
            params[name] = int(random.integers(distribution.high + 1))
    assert np.array_equal(variables.specs([params]), specs)


@pytest.mark.parametrize("space", [TINY, ODD, MOBILE], ids=lambda space: space.name)
def test_stages_number_a_whole_space(space):
    """Every row of numbers is another student, and each student of the space is one."""
    variables = Stages(space)
    highs = [d.high + 1 for d in variables.distributions.values()]
    assert [d.low for d in variables.distributions.values()] == [0] * len(highs)
    codes = np.stack(np.unravel_index(np.arange(np.prod(highs)), highs), axis=1)
    rows = [dict(zip(variables.distributions, code, strict=True)) for code in codes.tolist()]
    specs = variables.specs(rows)
    assert np.array_equal(variables.codes(specs), codes)
    different = np.unique(specs, axis=0)
    assert len(different) == len(specs) == STUDENTS[space.name]
    assert len(np.unique(drawn(space, 4000), axis=0)) <= len(different)
    both = np.concatenate([different, drawn(space, 4000)])
    assert len(np.unique(both, axis=0)) == len(different)


def test_blocks_by_hand():
    specs = TINY.pack([Spec.parse("3/6-8"), Spec.parse("4-2/8")])
    assert Blocks(TINY).params(specs) == [
        {"d0": 1, "w0.0": 1, "w0.1": 2, "d1": 2, "w1.0": 2},
        {"d0": 2, "w0.0": 2, "w0.1": 0, "d1": 1, "w1.0": 4},
    ]


def test_stages_by_hand():
    """Of stage 1, three forms have one block; the first width is the lowest digit."""
    specs = TINY.pack([Spec.parse("3/6-8"), Spec.parse("4-2/8"), Spec.parse("2-4/4-8")])
    assert Stages(TINY).params(specs) == [
        {"s0": 1, "s1": 1 + 2}, {"s0": 3 + 2 + 3 * 0, "s1": 0}, {"s0": 3 + 0 + 3 * 2, "s1": 1},
    ]  # fmt: skip


def test_a_paper_stage_fits_optunas_numbers():
    highs = [d.high for d in Stages(PAPER).distributions.values()]
    assert highs == [sum(9**d for d in range(1, 6)) - 1] * 3 + [sum(9**d for d in range(5)) - 1]


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_no_students(kind):
    variables = kind(TINY)
    none = TINY.pack([])
    assert variables.params(none) == []
    assert variables.specs([]).shape == none.shape
