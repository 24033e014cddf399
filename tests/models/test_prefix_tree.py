from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.models.prefix_tree import Room, Walk
from dass_ray.models.resnet import Block, ResNet
from dass_ray.predictor.probes import Maps
from dass_ray.space import MICRO, PAPER, Space, preset

from .. import make_task
from ..make import MOBILE, ODD, TINY, few
from .make import FLAT, SHALLOW, assert_close, images, one_by_one

WIDENS = Space(
    name="widens", image_size=8, widths=(8, 8), strides=(1, 1), max_depth=5, multipliers=(0.125, 1)
)
MICRO_MOBILE = preset("micro-mobile")
SMALL, LARGE = Room(level=1, batch=1), Room(level=2**30, batch=2**30)
SOME = Room(level=5000, batch=1000)  # a few chunks and a few stacks


def drawn(space, n, seed=0):
    return space.sample(n, np.random.default_rng(seed))


def walk(teacher, specs, x, room=LARGE, dtype=torch.float32, pooled=False):
    return Walk(teacher, Maps(x, pooled), room, dtype)(specs)


@few
@given(
    st.sampled_from([TINY, ODD, FLAT, SHALLOW, MICRO, MOBILE, MICRO_MOBILE]),
    st.integers(1, 6), st.integers(1, 4),
    st.sampled_from([SMALL, SOME, LARGE]), st.integers(0, 9999),
)  # fmt: skip
def test_equals_building_remapping_and_running_each(space, students, count, room, seed):
    teacher = make_task.teacher(space, seed=seed)
    specs, x = drawn(space, students, seed), images(space, count, seed)
    assert_close(walk(teacher, specs, x, room), one_by_one(teacher, specs, x))


@pytest.mark.parametrize("room", [Room(2**19, 2**16), LARGE])
def test_at_paper_scale(room):
    teacher = make_task.teacher(PAPER)
    specs, x = drawn(PAPER, 3), images(PAPER, 1)
    assert_close(walk(teacher, specs, x, room), one_by_one(teacher, specs, x))


@torch.no_grad()
def test_the_largest_student_has_the_teachers_map(teacher):
    x = images(TINY, 3)
    maps = walk(teacher, TINY.pack([TINY.teacher]), x)
    assert_close(maps[0], teacher.features(x).mean(dim=0))


def test_pooled_maps_are_each_channels_mean(teacher):
    specs, x = drawn(TINY, 5), images(TINY, 2)
    pooled = walk(teacher, specs, x, pooled=True)
    assert_close(pooled, one_by_one(teacher, specs, x).mean(dim=(2, 3), keepdim=True))


def test_every_student_of_a_space_in_one_walk(teacher):
    """All 72, so that every width meets every depth; twice each, in any order."""
    everything = np.unique(drawn(TINY, 4000), axis=0)
    assert len(everything) == 72
    twice = np.random.default_rng(0).permutation(np.concatenate([everything, everything]))
    x = images(TINY, 2)
    expected = one_by_one(teacher, twice, x)
    for room in (SMALL, SOME, LARGE):
        assert_close(walk(teacher, twice, x, room), expected)


def test_duplicates_have_equal_results(teacher):
    specs = drawn(TINY, 3)[[2, 0, 2, 1, 0, 2]]
    maps = walk(teacher, specs, images(TINY, 2))
    for i, j in ((0, 2), (0, 5), (1, 4)):
        assert torch.equal(maps[i], maps[j])
    assert not torch.allclose(maps[0], maps[1])


@pytest.mark.parametrize("room", [SMALL, SOME, LARGE])
def test_a_student_does_not_depend_on_order_or_company(teacher, room):
    specs, x = drawn(TINY, 20), images(TINY, 2)
    maps = walk(teacher, specs, x, room)
    order = np.random.default_rng(1).permutation(20)
    assert_close(walk(teacher, specs[order], x, room), maps[torch.from_numpy(order)], 1e-5)
    for i in (3, 11):
        assert_close(walk(teacher, specs[i : i + 1], x, room), maps[i : i + 1], 1e-5)
    assert_close(walk(teacher, specs[5:9], x, room), maps[5:9], 1e-5)


def test_students_less_deep_than_their_array(teacher):
    deeper = np.pad(drawn(TINY, 8), ((0, 0), (0, 0), (0, 3)))
    x = images(TINY, 2)
    assert torch.equal(walk(teacher, deeper, x), walk(teacher, deeper[:, :, :2], x))


def test_a_batch_in_which_no_student_is_deep(teacher):
    specs, x = TINY.pack([TINY.smallest] * 2), images(TINY, 2)
    assert_close(walk(teacher, specs, x), one_by_one(teacher, specs, x))


def test_a_student_does_not_see_the_other_students_images(teacher):
    """By the teacher's statistics, an image's map is its own."""
    specs, x = drawn(TINY, 4), images(TINY, 3)
    alone = torch.stack([walk(teacher, specs, x[i : i + 1]) for i in range(3)]).mean(dim=0)
    assert_close(walk(teacher, specs, x), alone)


@pytest.mark.parametrize("space", [TINY, MICRO], ids=lambda space: space.name)
def test_bfloat16_is_close_to_float32(space):
    teacher, specs = make_task.teacher(space), drawn(space, 12)
    x = images(space, 2)
    exact, short = (walk(teacher, specs, x, dtype=d) for d in (torch.float32, torch.bfloat16))
    assert short.dtype == torch.float32
    error = (short - exact).flatten(1).norm(dim=1) / exact.flatten(1).norm(dim=1)
    assert 1e-5 < error.max() < 0.03  # 8 bits, but not 24


def prefixes(specs):
    """How many different students' beginnings end in each block, by stage and block."""
    found = set()
    for student in specs.tolist():
        way = ()
        for s, stage in enumerate(student):
            for j, width in enumerate(w for w in stage if w):
                way = (*way, (s, j, width))
                found.add(way)
    return Counter(way[-1][:2] for way in found)


@pytest.fixture
def runs(monkeypatch):
    """The maps that go into blocks, by block; the stem's by None."""
    seen, block, stem = [], Block.cut, ResNet.cut_begin

    def counted(module, run, maps, numbers, told):
        seen.append((module, maps))
        return block(module, run, maps, numbers, told)

    def counted_stem(net, run, x, width, told):
        seen.append((None, x[None]))
        return stem(net, run, x, width, told)

    monkeypatch.setattr(Block, "cut", counted)
    monkeypatch.setattr(ResNet, "cut_begin", counted_stem)
    return seen


def nodes(runs, teacher):
    """How many nodes each block ran."""
    places = {
        block: (s, j) for s, stage in enumerate(teacher.stages) for j, block in enumerate(stage)
    }
    count = Counter()
    for module, maps in runs:
        if module is not None:
            count[places[module]] += len(maps)
    return count


@pytest.mark.parametrize("space", [TINY, ODD, MICRO], ids=lambda space: space.name)
@pytest.mark.parametrize("batch", [1, 2**30])
def test_each_beginning_is_computed_once(space, batch, runs):
    teacher, specs = make_task.teacher(space), drawn(space, 100)
    walk(teacher, specs, images(space, 1), Room(2**30, batch))
    assert nodes(runs, teacher) == prefixes(specs)
    firsts = len(np.unique(specs[:, 0, 0]))
    assert sum(module is None for module, _ in runs) == firsts
    assert prefixes(specs)[0, 0] == firsts  # of 100 students


def test_students_that_begin_alike_cost_one_beginning(runs):
    """The products of a beginning with many endings."""
    teacher, specs = make_task.teacher(MICRO), drawn(MICRO, 50)
    specs[:, :2] = specs[0, :2]
    walk(teacher, specs, images(MICRO, 1))
    count, depths = nodes(runs, teacher), (specs[0] > 0).sum(axis=1)
    for s in (0, 1):
        assert [count[s, j] for j in range(5)] == [int(j < depths[s]) for j in range(5)]


def test_equal_widths_are_one_dense_batch(runs):
    """At the most one run for each pair of widths of a block."""
    teacher, specs = make_task.teacher(MICRO), drawn(MICRO, 150)
    walk(teacher, specs, images(MICRO, 1))
    calls = Counter(module for module, _ in runs if module is not None)
    for s, stage in enumerate(teacher.stages):
        inputs = len(MICRO.choices[max(0, s - 1)])
        for j, block in enumerate(stage):
            before = inputs if j == 0 else len(MICRO.choices[s])
            assert 0 < calls[block] <= before * len(MICRO.choices[s])


@pytest.mark.parametrize("batch", [1, 1000, 4000])
def test_no_dense_batch_is_larger_than_its_room(batch, runs):
    """Though blocks may be eight times as wide as what enters them."""
    teacher, specs = make_task.teacher(WIDENS), drawn(WIDENS, 100)
    walk(teacher, specs, images(WIDENS, 1), Room(2**30, batch))
    for module, maps in runs:
        if module is not None:
            assert maps.numel() <= max(batch, maps[0].numel())
    most = max(len(maps) for _, maps in runs)
    assert most == 1 if batch == 1 else most > 1


@pytest.mark.parametrize("level", [1, 700, 3000])
def test_no_level_is_larger_than_its_room(level):
    """The ends of the last stage that are held at once: parts of all results."""
    teacher, x, held = make_task.teacher(), images(TINY, 2), []
    specs = np.unique(drawn(TINY, 60), axis=0)

    class Looking(Maps):
        def finish(self, maps, seen):
            held.append(len(maps))
            return super().finish(maps, seen)

    maps = Walk(teacher, Looking(x, pooled=False), Room(level, 2**30))(specs)
    assert_close(maps, one_by_one(teacher, specs, x))
    one = 2 * 8 * 4 * 4  # numbers in a last map
    assert max(held) == max(1, level // one)
    assert sum(held) == len(specs)


def test_a_level_that_is_cut_still_shares_what_is_before(runs):
    """Stage by stage, a part goes on to the end before the next one begins."""
    teacher, specs = make_task.teacher(), drawn(TINY, 300)
    first_stage = 2 * 4 * 8 * 8  # numbers of a node of stage 1
    walk(teacher, specs, images(TINY, 2), Room(4 * first_stage, 2**30))
    found, least = nodes(runs, teacher), prefixes(specs)
    assert found[0, 1] == least[0, 1]
    assert least[1, 0] <= found[1, 0] <= 2 * least[1, 0]


def test_keeps_no_graph_and_changes_nothing(teacher):
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    x, specs = images(TINY, 2), drawn(TINY, 6)
    kept, same = x.clone(), specs.copy()
    maps = walk(teacher, specs, x)
    assert not maps.requires_grad
    assert torch.equal(x, kept)
    assert np.array_equal(specs, same)
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_a_teacher_in_training_is_a_mistake():
    teacher = make_task.teacher().train()
    with pytest.raises(AssertionError):
        walk(teacher, TINY.pack([TINY.teacher]), images(TINY, 1))


def test_room_on_a_cpu_is_bounded():
    room = Room.on(torch.device("cpu"))
    assert room.batch <= room.level
    assert 4 * 5 * room.level < 2**31  # bytes of the five levels that a walk may hold


def test_a_stage_of_one_block():
    """Where the last block of the last stage is its first, its width is given."""
    space = Space(name="one", image_size=8, widths=(6,), strides=(2,), max_depth=1)
    teacher, x = make_task.teacher(space), images(space, 2)
    specs = space.pack([space.teacher])
    assert_close(walk(teacher, specs, x), one_by_one(teacher, specs, x))
