import copy
import math

import pytest
import torch

from dass_ray.zero_cost.catalogue import SCORES


@pytest.mark.parametrize("name", SCORES)
def test_a_score_is_a_number_and_changes_nothing(case, name):
    before = [copy.deepcopy(net.state_dict()) for net in (case.net, case.teacher)]
    found = [
        SCORES[name](case.net, case.teacher, case.images, case.labels) for _ in range(2)
    ]  # fmt: skip
    assert math.isfinite(found[0])
    assert found[0] == found[1]
    for net, kept in zip((case.net, case.teacher), before, strict=True):
        assert all(torch.equal(value, kept[key]) for key, value in net.state_dict().items())
        assert not net.training
        assert not any(module._forward_hooks for module in net.modules())
        assert all(p.grad is None for p in net.parameters())
