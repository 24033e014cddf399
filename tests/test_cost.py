import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dass_ray.cost import Cost, cost
from dass_ray.models.network import build
from dass_ray.space import MICRO, PAPER, Space, Spec, preset

from .make import MOBILE, ODD, TINY, specs

PLAIN = Space(name="plain", image_size=8, widths=(3,), strides=(1,), max_depth=4)


@torch.no_grad()
def counted(space, spec, classes, device):
    """Parameters and FLOPs of the built network, as torch counts them."""
    net = build(space, spec, classes).eval().to(device)
    image = torch.zeros(1, 3, space.image_size, space.image_size, device=device)
    with FlopCounterMode(display=False) as counter:
        net(image)
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops()


@pytest.mark.parametrize(
    ("space", "students", "device"),
    [(MICRO, 150, "cpu"), (PAPER, 6, "meta"), (TINY, 30, "cpu"), (ODD, 30, "cpu"),
     (PLAIN, 20, "cpu"), (MOBILE, 40, "cpu"), (preset("micro-mobile"), 30, "cpu"),
     (preset("paper-mobile"), 6, "meta")],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_equals_counting_on_the_built_network(space, students, device, monkeypatch):
    monkeypatch.setattr(nn.Conv2d, "reset_parameters", lambda _conv: None)  # 10 ms a network
    monkeypatch.setattr(nn.init, "kaiming_normal_", lambda *_args, **_more: None)
    some = [space.smallest, space.teacher, *specs(space, students)]
    classes = 2 + students % 7
    costs = cost(space, space.pack(some), classes)
    assert costs.params.dtype == costs.flops.dtype == np.int64
    for i, spec in enumerate(some):
        expected = counted(space, spec, classes, device)
        assert (costs.params[i], costs.flops[i]) == expected, spec


def test_by_hand():
    costs = cost(TINY, TINY.pack([Spec.parse("3/8")]), classes=5)
    stem, first, second = 27 * 3, 9 * (3 * 3 + 3 * 3), 9 * (3 * 8 + 8 * 8)
    norms = 2 * (3 + 3 + 3 + 8 + 8)
    assert costs.params.tolist() == [stem + first + second + norms + 9 * 5]
    macs = 64 * (stem + first) + 16 * second + 8 * 5
    assert costs.flops.tolist() == [2 * macs]


def test_the_paper_teacher():
    """Wide enough that 16 bits, which hold the widths, would overflow."""
    costs = cost(PAPER, PAPER.pack([PAPER.teacher]), 20)
    assert costs.params[0] > 7_000_000
    assert costs.flops[0] > 2**31


def test_no_students():
    costs = cost(TINY, TINY.pack([]), 3)
    assert len(costs.params) == len(costs.flops) == 0


def some_cost(timed=True):
    latency = np.array([0.5, 1.5, 2.5]) if timed else None
    return Cost(np.array([1, 2, 3]), np.array([10, 20, 30]), latency)


@pytest.mark.parametrize("index", [[2, 0, 2], [True, False, True], []])
def test_those_of_some_students(index):
    kind = bool if index and isinstance(index[0], bool) else np.int64
    found = some_cost().at(np.array(index, kind))
    rows = np.arange(3)[np.array(index, kind)]
    assert found.params.tolist() == (rows + 1).tolist()
    assert found.flops.tolist() == (10 * (rows + 1)).tolist()
    assert found.latency.tolist() == (rows + 0.5).tolist()
    assert some_cost(timed=False).at(np.array(index, kind)).latency is None


@pytest.mark.parametrize("timed", [True, False])
def test_joined_costs(timed):
    whole = some_cost(timed)
    found = Cost.joined([whole.at(np.array(part, np.int64)) for part in ([0], [], [1, 2])])
    assert found.params.tolist() == [1, 2, 3]
    assert found.flops.tolist() == [10, 20, 30]
    assert found.latency is None if not timed else found.latency.tolist() == [0.5, 1.5, 2.5]
