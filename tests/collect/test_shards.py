import numpy as np
import pytest

from dass_ray import plan
from dass_ray.collect.shards import PARTS, SHORTEST_S, cut, target

from ..make import KD, TINY, run, specs, teacher_card

SPECS = [str(spec) for spec in dict.fromkeys(specs(TINY, 40))][:12]


def blocks(*groups):
    """Blocks of runs: for each group the teacher's name, the recipe's rate and how many."""
    runs = [
        run(teacher=card, recipe=KD.model_copy(update={"lr": lr}), spec=spec)
        for card, lr, count in (
            (teacher_card(id=name, fingerprint=name), lr, count) for name, lr, count in groups
        )
        for spec in SPECS[:count]
    ]
    return list(plan.blocks_of(runs))


def shards(some, seconds=1.0, longest=4.0, most=99):
    def expected(block):
        return np.full(len(block.specs), seconds)

    return list(cut(some, expected, lambda: longest, most))


def test_shards_are_as_long_as_wanted():
    assert [len(shard) for shard in shards(blocks(("a", 0.1, 10)))] == [4, 4, 2]
    assert [len(shard) for shard in shards(blocks(("a", 0.1, 10)), most=3)] == [3, 3, 3, 1]


def test_a_long_run_is_alone():
    assert [len(shard) for shard in shards(blocks(("a", 0.1, 3)), seconds=9.0)] == [1, 1, 1]


def test_a_shard_has_one_task_and_recipe():
    found = shards(blocks(("a", 0.1, 3), ("a", 0.2, 3), ("b", 0.2, 5)))
    assert [len(shard) for shard in found] == [3, 3, 4, 1]
    for shard in found:
        assert len({(one.teacher.id, one.recipe.lr) for one in shard}) == 1


def test_seeds_may_share_a_shard():
    runs = [run(spec=SPECS[0], seed=seed) for seed in range(4)]
    assert shards(list(plan.blocks_of(runs))) == [runs]


def test_nothing_is_lost():
    some = blocks(("a", 0.1, 7), ("b", 0.1, 12))
    flat = [one for shard in shards(some, seconds=1.7) for one in shard]
    assert flat == [one for block in some for one in block.runs()]
    assert shards([]) == []


def test_shards_are_made_when_they_are_asked_for():
    asked = []

    def lazily():
        for block in blocks(*((f"{i}", 0.1, 2) for i in range(50))):
            asked.append(block)
            yield block

    found = cut(lazily(), lambda block: np.ones(len(block.specs)), lambda: 2.0, 99)
    next(found)
    assert len(asked) <= 2


def test_the_target_may_change_meanwhile():
    targets = iter([2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    found = cut(
        blocks(("a", 0.1, 6)), lambda block: np.ones(len(block.specs)), lambda: next(targets), 99
    )
    assert [len(shard) for shard in found] == [2, 2, 1, 1]


@pytest.mark.parametrize(
    ("left", "slots", "expected"),
    [(1e9, 8, 120.0), (100 * PARTS, 10, 10.0), (1.0, 8, SHORTEST_S)],
    ids=["much", "the end is near", "hardly anything"],
)
def test_the_last_shards_are_shorter(left, slots, expected):
    assert target(left, slots, longest_s=120.0) == expected
