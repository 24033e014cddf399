import numpy as np
import pytest
import torch

from dass_ray.models.nodes import Level, Nodes


def nodes(ids, width=2, seen=True):
    """Maps that hold the nodes' numbers."""
    numbers = torch.tensor(ids, dtype=torch.float32)
    maps = numbers.view(-1, 1, 1, 1, 1).expand(-1, 2, width, 3, 3).contiguous()
    return Nodes(np.array(ids), maps, 10 * numbers[:, None] if seen else None)


def numbers(some):
    """What the maps and what was seen say who the nodes are; both agree with the names."""
    told = some.maps[:, 0, 0, 0, 0].tolist()
    if some.seen is not None:
        assert (some.seen[:, 0] / 10).tolist() == told
    return told


@pytest.mark.parametrize("wanted", [[5], [3, 9], [9, 3], [5, 5, 9], [4, 3, 5, 9], [9]])
@pytest.mark.parametrize("seen", [True, False])
def test_nodes_by_their_numbers(wanted, seen):
    some = nodes([5, 3, 4, 9], seen=seen).at(np.array(wanted))
    assert numbers(some) == wanted
    assert some.ids.tolist() == wanted
    assert (some.seen is None) == (not seen)


def test_neighbours_are_a_view():
    all_of_them = nodes([3, 4, 6, 9])
    some = all_of_them.at(np.array([4, 6]))
    assert numbers(some) == [4, 6]
    assert some.maps.data_ptr() == all_of_them.maps[1].data_ptr()


def test_those_of_one_width_are_joined():
    level = Level(batch=1000)
    for part in (nodes([3]), nodes([1, 2], width=5), nodes([0, 7])):
        level.add(part)
    stacks = list(level)
    assert sorted(numbers(stack) for stack in stacks) == [[1, 2], [3, 0, 7]]
    assert [stack.maps.shape[2] for stack in stacks] == [2, 5]
    assert [numbers(stack) for stack in level] == [numbers(stack) for stack in stacks]


def test_a_stack_is_no_larger_than_a_batch():
    one = nodes([0]).maps.numel()
    for batch, sizes in ((1, [1] * 5), (2 * one, [2, 2, 1]), (5 * one, [5])):
        level = Level(batch)
        for number in range(5):
            level.add(nodes([number]))
        assert [len(stack.ids) for stack in level] == sizes
        assert [n for stack in level for n in numbers(stack)] == [0, 1, 2, 3, 4]


def test_parents_by_stack():
    level = Level(batch=1)
    for ids in ([4, 2], [7], [5]):
        level.add(nodes(ids))
    wanted = np.array([2, 5, 2, 4])
    found = {tuple(stack.ids.tolist()): mine.tolist() for stack, mine in level.parents(wanted)}
    assert found == {(4, 2): [0, 2, 3], (5,): [1]}


def test_chosen_ones_have_new_names():
    level = Level(batch=1)
    for ids in ([4, 2], [7]):
        level.add(nodes(ids))
    wanted, names = np.array([7, 2, 2]), np.array([30, 10, 20])
    found = {
        int(name): number
        for some in level.chosen(wanted, names)
        for name, number in zip(some.ids, numbers(some), strict=True)
    }
    assert found == {30: 7, 10: 2, 20: 2}


def test_none_are_chosen_of_none():
    level = Level(batch=1)
    level.add(nodes([4, 2]))
    assert list(level.chosen(np.array([], int), np.array([], int))) == []
