import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.space import MICRO, PAPER, Space, Spec, preset

from .make import MOBILE, ODD, TINY, few, specs

spaces = st.sampled_from([TINY, ODD, MICRO, PAPER, MOBILE])
seeds = st.integers(0, 2**32 - 1)


def rng(seed=0):
    return np.random.default_rng(seed)


def everything(space):
    """All specs of a small space, by brute force."""
    stages = [
        [w for depth in range(1, space.max_depth + 1) for w in itertools.product(c, repeat=depth)]
        for c in space.blocks
    ]
    ends = space.family.ends(space)
    last = [blocks for blocks in stages[-1] if blocks[-1] in ends]
    return [Spec(s) for s in itertools.product(*stages[:-1], last)]


@few
@given(spaces, seeds)
def test_text_round_trip(space, seed):
    for spec in specs(space, 5, seed):
        assert Spec.parse(str(spec)) == spec
        assert hash(Spec.parse(str(spec))) == hash(spec)


def test_text_by_hand():
    spec = Spec(((8, 6), (16,), (32, 20, 18), (64,)))
    assert str(spec) == "8-6/16/32-20-18/64"
    assert Spec.parse("8-6/16/32-20-18/64") == spec


@pytest.mark.parametrize("text", ["", "8-", "-8", "8//8", "8/", "a", "8-6/1.5", "8 6", "8,6"])
def test_what_is_no_spec_is_refused(text):
    with pytest.raises(UserError, match="is not a student"):
        Spec.parse(text)


@few
@given(spaces, seeds)
def test_pack_round_trip(space, seed):
    some = specs(space, 7, seed)
    packed = space.pack(some)
    assert packed.shape == (7, len(space.widths), space.max_depth)
    assert packed.dtype == np.int16
    assert space.unpack(packed) == some


def test_blocks_of_two_numbers():
    spec = Spec((((4, 3), (2, 1)), ((6, 3),)))
    assert str(spec) == "4x3-2x1/6x3"
    assert Spec.parse("4x3-2x1/6x3") == spec
    assert spec.widths == ((4, 2), (6,))
    packed = MOBILE.pack([spec])
    assert packed.tolist() == [[[4 * 16 + 3, 2 * 16 + 1], [6 * 16 + 3, 0]]]
    assert MOBILE.decoded(packed).tolist() == [[[[4, 2], [6, 0]], [[3, 1], [3, 0]]]]


def test_packed_by_hand():
    packed = TINY.pack([Spec.parse("3/6-8"), Spec.parse("4-2/8")])
    assert packed.tolist() == [[[3, 0], [6, 8]], [[4, 2], [8, 0]]]


@pytest.mark.parametrize("space", [TINY, ODD, MICRO, PAPER, MOBILE], ids=lambda space: space.name)
def test_json_round_trip(space):
    used = [space.choices, space.teacher, space.smallest]  # cached values are no content
    again = Space.model_validate_json(space.model_dump_json())
    assert again == space
    assert hash(again) == hash(space)
    assert [again.choices, again.teacher, again.smallest] == used


@few
@given(spaces, seeds)
def test_inputs_of_blocks(space, seed):
    """Of each block, the width of the one before it; of the first, the stem's."""
    (spec,) = specs(space, 1, seed)
    found = space.inputs(space.pack([spec]))[0]
    before = MOBILE.family.stem if space is MOBILE else spec.stages[0][0]
    for s, stage in enumerate(spec.widths):
        for j in range(space.max_depth):
            assert found[s, j] == (before if j < len(stage) else 0)
            before = stage[j] if j < len(stage) else before


@few
@given(spaces, seeds, st.integers(1, 30))
def test_samples_are_in_the_space(space, seed, n):
    drawn = space.sample(n, rng(seed))
    assert drawn.shape == (n, len(space.widths), space.max_depth)
    assert drawn.dtype == np.int16
    for spec in space.unpack(drawn):
        space.check(spec)
    assert np.array_equal(drawn, space.sample(n, rng(seed)))


@pytest.mark.parametrize(("space", "students"), [(TINY, 72), (MOBILE, 400)])
def test_samples_are_the_whole_space(space, students):
    assert len(everything(space)) == students
    assert set(specs(space, 100 * students)) == set(everything(space))


def test_depths_and_widths_are_drawn_evenly():
    drawn = MICRO.sample(20_000, rng())
    depths = (drawn > 0).sum(axis=2)
    for stage, choice in enumerate(MICRO.choices):
        share = np.bincount(depths[:, stage], minlength=6)[1:] / 20_000
        assert np.abs(share - 1 / 5).max() < 0.02
        inner = drawn[:, stage, 0][depths[:, stage] > 1]  # never the last block
        share = np.array([(inner == width).mean() for width in choice])
        assert np.abs(share - 1 / len(choice)).max() < 0.02


@few
@given(spaces, seeds, st.none() | st.floats(0, 1))
def test_mutants_are_in_the_space(space, seed, rate):
    random = rng(seed)
    drawn = space.sample(20, random)
    before = drawn.copy()
    mutants = space.mutate(drawn, random, rate)
    assert mutants.dtype == np.int16
    for spec in space.unpack(mutants):
        space.check(spec)
    assert np.array_equal(drawn, before)


@pytest.mark.parametrize("space", [TINY, MICRO], ids=lambda space: space.name)
def test_no_students_have_no_mutants_and_no_children(space):
    none = space.pack([])
    assert space.mutate(none, rng()).shape == none.shape
    assert space.crossover(none, none, rng()).shape == none.shape
    assert space.sample(0, rng()).shape == none.shape
    assert space.unpack(none) == []
    assert space.vectors(none).shape == (0, space.vector_size)


def test_rate_of_mutation():
    parents = PAPER.sample(2000, rng())
    assert np.array_equal(PAPER.mutate(parents, rng(1), 0.0), parents)
    mutants = PAPER.mutate(parents, rng(1))
    depths = (mutants > 0).sum(axis=2) != (parents > 0).sum(axis=2)
    both = (mutants > 0) & (parents > 0)
    widths = ((mutants != parents) & both)[:, :3]  # the last stage also moves its full width
    # 24 + 4 genes in the paper's sense; a redrawn one is the old one in 1 of 5 or 9 cases
    assert depths.sum(axis=1).mean() == pytest.approx(2 / 24 * 4 * 4 / 5, abs=0.05)
    assert widths.sum() / both[:, :3].sum() == pytest.approx(2 / 24 * 8 / 9, abs=0.01)


def test_mutants_reach_the_whole_space():
    parents = np.repeat(TINY.pack([TINY.smallest]), 4000, axis=0)
    assert set(TINY.unpack(TINY.mutate(parents, rng(), 0.9))) == set(everything(TINY))


@few
@given(spaces, seeds)
def test_children_take_whole_stages(space, seed):
    random = rng(seed)
    a, b = space.sample(20, random), space.sample(20, random)
    children = space.crossover(a, b, random)
    for child in space.unpack(children):
        space.check(child)
    of_a, of_b = (children == a).all(axis=2), (children == b).all(axis=2)
    assert (of_a | of_b).all()


def test_children_have_both_parents():
    a, b = MICRO.sample(500, rng(0)), MICRO.sample(500, rng(1))
    of_a = (MICRO.crossover(a, b, rng(2)) == a).all(axis=2)
    assert of_a.mean(axis=0) == pytest.approx(np.full(4, 0.5), abs=0.1)
    assert not of_a.all(axis=1).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("4", "has 1 stages, tiny 2"),
        ("4-4-4/8", "stage 1 needs 1 to 2 blocks"),
        ("5/8", r"width 5 in stage 1 is not one of \(2, 3, 4\)"),
        ("4/3-8", "width 3 in stage 2"),
        ("4/8-6", "the last block keeps the teacher's width 8"),
        ("0/8", "width 0 in stage 1"),
        ("4x3/8", "width 4x3 in stage 1"),
    ],
)
def test_check_says_what_is_wrong(text, message):
    with pytest.raises(UserError, match=message):
        TINY.check(Spec.parse(text))


@pytest.mark.parametrize("text", ["4x2/6x1", "4/6x1", "4x1x1/6x1", "3x1/6x1"])
def test_check_lists_what_a_block_may_be(text):
    message = rf"block {text.split('/')[0]} in stage 1 is not one of \(2x1, 2x3, 4x1, 4x3\)"
    with pytest.raises(UserError, match=message):
        MOBILE.check(Spec.parse(text))


def test_an_empty_stage_is_no_student():
    with pytest.raises(UserError, match="stage 1 needs 1 to 2 blocks"):
        TINY.check(Spec(((), (8,))))


@few
@given(spaces, seeds)
def test_vectors(space, seed):
    drawn = space.sample(30, rng(seed))
    vectors = space.vectors(drawn)
    assert vectors.shape == (30, space.vector_size)
    assert vectors.dtype == np.float32
    assert vectors.min() >= 0
    assert vectors.max() == 1
    assert len(np.unique(vectors, axis=0)) == len(np.unique(drawn, axis=0))


def test_vector_by_hand():
    vector = TINY.vectors(TINY.pack([Spec.parse("3/6-8")]))[0]
    assert vector.tolist() == [1, 0, 1, 1, 0.75, 0, 0.75, 1]
    vector = MOBILE.vectors(MOBILE.pack([Spec.parse("2x3/3x3-6x3")]))[0]
    assert vector.tolist() == [1, 0, 1, 1, 0.5, 0, 0.5, 1, 1, 0, 1, 1]


def test_summary_by_hand():
    """Relative depths, then mean widths, then mean expansions, by stage."""
    summary = MOBILE.summary(MOBILE.pack([Spec.parse("2x3-4x3/3x3")]))[0]
    assert summary.tolist() == [1, 0.5, 0.75, 0.5, 1, 1]


@pytest.mark.parametrize("space", [TINY, ODD, MOBILE], ids=lambda space: space.name)
def test_teacher_and_smallest_are_the_ends_of_the_space(space):
    some = everything(space) if space is TINY else specs(space, 500)
    costs = cost(space, space.pack([space.smallest, space.teacher, *some]), 3)
    for used in (costs.params, costs.flops):
        assert used.min() == used[0]
        assert used.max() == used[1]
    assert space.check(space.teacher) == space.teacher
    assert space.check(space.smallest) == space.smallest


def test_presets():
    assert preset("micro") is MICRO
    assert preset("paper") is PAPER
    assert MICRO.choices[0] == (4, 5, 6, 7, 8)
    assert PAPER.choices == tuple(tuple(w * m // 16 for m in range(8, 17)) for w in PAPER.widths)
    assert str(PAPER.teacher).count("256") == 5
    free, last = sum(9**d for d in range(1, 6)), sum(9**d for d in range(5))
    assert 1e18 < free**3 * last < 4e18  # students, as the paper has them
    assert preset("micro-mobile").family.name == preset("paper-mobile").family.name == "mobilenet"
    with pytest.raises(UserError, match="no space is called 'big'; known: micro, paper, micro-mob"):
        preset("big")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"strides": (1,)}, "one entry for each stage"),
        ({"image_size": 9}, "multiple of the product of the strides"),
        ({"strides": (0, 2)}, "strides"),
        ({"widths": (0, 8)}, "widths"),
        ({"widths": (4, 40_000)}, "widths"),
        ({"multipliers": (0.0, 1.0)}, "multipliers must be above 0"),
        ({"multipliers": (0.5, 2.0)}, "with 1.0 as the largest"),
        ({"multipliers": ()}, "multipliers"),
        ({"max_depth": 0}, "max_depth"),
        ({"image_size": 4}, "image_size"),
        ({"family": "vgg"}, "no student family is called 'vgg'; known: resnet, mobilenet"),
        ({"family": {"stem": 4}}, "family needs a name; known: resnet, mobilenet"),
        ({"family": {"name": "mobilenet", "expansion": 4}}, "did you mean 'expansions'"),
        ({"family": {"name": "mobilenet", "expansions": [4, 2]}}, "must ascend"),
        ({"family": {"name": "mobilenet", "expansions": [16]}}, "less than 16"),
        (
            {"family": "mobilenet", "widths": (4, 2048)},
            "of the family mobilenet may be at most",
        ),
    ],
)
def test_inconsistent_spaces_are_refused(change, message):
    with pytest.raises(ValidationError, match=message):
        Space(**TINY.model_dump() | change)
