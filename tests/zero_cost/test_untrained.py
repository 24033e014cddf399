import copy

import torch

from dass_ray.zero_cost import untrained


def right(net, case):
    with torch.no_grad():
        return (net(case.images).argmax(dim=1) == case.labels).sum().item() / len(case.labels)


def test_as_the_teacher_left_the_batch_norms(case):
    assert untrained.score(case.net, case.images, case.labels) == right(case.net, case)


def test_with_those_of_the_batch(case):
    expected = right(copy.deepcopy(case.net).train(), case)
    found = untrained.with_batch_norms_of_the_batch(case.net, case.images, case.labels)
    assert found == expected


def test_all_right_and_all_wrong(case):
    with torch.no_grad():
        sure = case.net(case.images).argmax(dim=1)
    assert untrained.score(case.net, case.images, sure) == 1
    assert untrained.score(case.net, case.images, (sure + 1) % 3) == 0
