import tracemalloc
from itertools import pairwise

import pyarrow as pa
import pytest

from dass_ray import plan
from dass_ray.config import CollectConfig
from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.keys import KeySet
from dass_ray.records import run_keys
from dass_ray.space import MICRO, Spec

from .make import KD, TEACH, TINY, run, specs, teacher_card

OTHER = KD.model_copy(update={"lr": 0.01})
CARDS = [teacher_card(id="t1"), teacher_card(id="t2", dataset="hues", fingerprint="e" * 64)]


def config(**changed):
    facts = {
        "datasets": ("tinges", "hues"), "space": TINY, "teacher": TEACH, "kd": (KD, OTHER),
        "kd_seeds": (0, 1), "students": 6, "common": 0.5,
    }  # fmt: skip
    return CollectConfig(**facts | changed)


def runs(settings, cards=CARDS):
    return [one for block in plan.blocks(settings, cards) for one in block.runs()]


def keys(blocks):
    return [key for block in blocks for key in block.keys]


def held(some):
    return KeySet.of(pa.chunked_array([list(some)], pa.string()))


def test_every_combination_once():
    found = runs(config())
    assert len(found) == plan.size(config(), 2) == 2 * 2 * 2 * 6
    assert len({one.key for one in found}) == len(found)
    assert {(one.teacher.id, one.recipe.lr, one.seed) for one in found} == {
        (card.id, recipe.lr, seed) for card in CARDS for recipe in (KD, OTHER) for seed in (0, 1)
    }


def test_what_is_named_twice_is_planned_once():
    twice = config(kd=(KD, KD), kd_seeds=(1, 1))
    assert len(runs(twice, [CARDS[0], CARDS[0]])) == plan.size(twice, 1) == 6


def test_one_task_and_recipe_after_the_other():
    order = [(one.teacher.id, one.recipe.lr) for one in runs(config())]
    assert len([a for a, b in pairwise(order) if a != b]) == 3


def test_blocks_know_keys_and_flops():
    for block in plan.blocks(config(), CARDS):
        assert list(block.keys) == [one.key for one in block.runs()]
        parsed = [Spec.parse(text) for text in block.specs]
        assert block.flops.tolist() == cost(TINY, TINY.pack(parsed), 3).flops.tolist()


def test_quick_keys_are_the_runs_own():
    some = [*map(str, specs(MICRO, 5)), 'quo"te', "ü"]
    for recipe in (KD, OTHER):
        expected = [run(recipe=recipe, seed=7, spec=spec).key for spec in some]
        assert run_keys(teacher_card(), recipe, 7, some) == expected


@pytest.mark.parametrize("sampling", ["cost", "widths"])
def test_tasks_share_a_part_of_their_students(sampling):
    a, b = (plan.students(config(sampling=sampling), name) for name in ("tinges", "hues"))
    assert a[:3] == b[:3]
    assert len(set(a)) == len(set(b)) == 6
    assert set(a[3:]) != set(b[3:])
    alone = plan.students(config(sampling=sampling, common=0), "hues")
    assert alone[:3] != b[:3]


def test_students_over_widths_are_those_of_version_0_1():
    """The predictor of version 0.1 learned from these."""
    settings = CollectConfig(datasets=("textures:0",), students=48, common=0.25, sampling="widths")
    found = plan.students(settings, "textures-0")
    assert [str(found[i]) for i in (0, 11, 12, 47)] == [
        "5-7-7-5-6/14-11-13-9/16-22-20/32-64",
        "5/12-11-12-10/16-32-28/52-32-60-64",
        "4-4-6-7-7/9-8-14-16/16-16-26-22/32-56-56-36-64",
        "6-8/14-15/16-28/64",
    ]


def test_too_many_students():
    for sampling in ("cost", "widths"):
        with pytest.raises(UserError, match=r"'tiny' gave only 7\d .* lower students"):
            plan.students(config(students=73, sampling=sampling), "tinges")


def test_missing_leaves_out_what_is_done():
    every = keys(plan.blocks(config(), CARDS))
    done = held(every[::2])
    left = list(plan.missing(plan.blocks(config(), CARDS), done))
    assert keys(left) == every[1::2]
    assert [one.key for block in left for one in block.runs()] == every[1::2]
    assert all(len(block.flops) == len(block.specs) == len(block.keys) for block in left)
    assert list(plan.missing(plan.blocks(config(), CARDS), held(every))) == []


def test_given_runs_as_blocks():
    some = runs(config())
    mixed = [*some[::-1], some[0]]
    assert [one for block in plan.blocks_of(mixed) for one in block.runs()] == some[::-1]


def test_the_heaviest_run_has_the_most_of_everything():
    images = {"small": 10, "large": 99}
    cards = [teacher_card(id=name, dataset=name) for name in images]
    kd = (KD, KD.model_copy(update={"batch_size": 64}))
    found = plan.heaviest(plan.blocks(config(kd=kd), cards), images.__getitem__)
    assert (found.teacher, found.recipe) == (cards[1], kd[1])
    assert found.spec == str(TINY.teacher)


def test_memory_does_not_grow_with_the_plan():
    """More tasks, recipes and seeds: the same students are held at one time."""

    def peak(seeds):
        settings = config(space=MICRO, students=300, kd_seeds=tuple(range(seeds)))
        cards = [teacher_card(MICRO, id=name) for name in ("t1", "t2")]
        tracemalloc.start()
        count = sum(len(block.specs) for block in plan.blocks(settings, cards))
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return count, used

    (few, small), (many, large) = peak(2), peak(20)
    assert many == 10 * few == 2 * 2 * 20 * 300
    assert large < 1.3 * small
