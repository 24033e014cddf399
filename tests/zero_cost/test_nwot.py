import numpy as np
import pytest
import torch
from torch import nn

from dass_ray.zero_cost import nwot


def codes(case):
    kept = []
    hooks = [
        m.register_forward_hook(lambda _m, _i, out: kept.append((out > 0).flatten(1).numpy()))
        for m in case.net.modules()
        if isinstance(m, nn.BatchNorm2d)
    ]
    with torch.no_grad():
        case.net(case.images)
    for hook in hooks:
        hook.remove()
    return np.hstack(kept)


def test_by_hamming_distances(case):
    code = codes(case)
    agree = np.array([[np.sum(a == b) for b in code] for a in code], dtype=float)
    expected = np.linalg.slogdet(agree + np.eye(len(code)))[1]
    found = nwot.score(case.net, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-9)


def test_images_of_one_code_have_a_finite_score(case):
    units = codes(case).shape[1]
    twice = case.images[:1].expand(2, -1, -1, -1)
    found = nwot.score(case.net, twice, case.labels)
    assert found == pytest.approx(np.log((units + 1) ** 2 - units**2))


def test_kernel_by_hand():
    """Two codes of 10 units that differ in 4: 6 agree."""
    kernel = torch.tensor([[10.0, 2.0], [2.0, 10.0]])
    expected = np.log(11 * 11 - 6 * 6)
    assert nwot.of_kernel(kernel, torch.tensor(10.0)).item() == pytest.approx(expected)
    several = nwot.of_kernel(kernel.expand(3, 2, 2), torch.full((3,), 10.0))
    assert several.tolist() == pytest.approx([expected] * 3)
