import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from dass_ray import cost as cost_module
from dass_ray.cost import Cost, Limits, cost, sample_within
from dass_ray.errors import UserError
from dass_ray.models.resnet import ResNet
from dass_ray.space import MICRO, PAPER, Space, Spec

from .make import ODD, TINY, few, specs

PLAIN = Space(name="plain", image_size=8, widths=(3,), strides=(1,), max_depth=4)


def rng(seed=0):
    return np.random.default_rng(seed)


@torch.no_grad()
def counted(space, spec, classes, device):
    """Parameters and FLOPs of the built network, as torch counts them."""
    net = ResNet(space, spec, classes).eval().to(device)
    image = torch.zeros(1, 3, space.image_size, space.image_size, device=device)
    with FlopCounterMode(display=False) as counter:
        net(image)
    return sum(p.numel() for p in net.parameters()), counter.get_total_flops()


@pytest.mark.parametrize(
    ("space", "students", "device"),
    [(MICRO, 150, "cpu"), (PAPER, 6, "meta"), (TINY, 30, "cpu"), (ODD, 30, "cpu"),
     (PLAIN, 20, "cpu")],
    ids=lambda value: getattr(value, "name", ""),
)  # fmt: skip
def test_equals_counting_on_the_built_network(space, students, device, monkeypatch):
    monkeypatch.setattr(nn.Conv2d, "reset_parameters", lambda _conv: None)  # 10 ms a network
    monkeypatch.setattr(ResNet, "_reset", lambda _net: None)
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


def test_limits_by_hand():
    costs = Cost(np.array([50, 100, 101, 300]), np.array([900, 1000, 500, 1001]))
    both = Limits(params=100, flops=1000)
    assert both.excess(costs) == pytest.approx(
        np.array([[-0.5, -0.1], [0, 0], [0.01, -0.5], [2, 0.001]])
    )
    assert both.met(costs).tolist() == [True, True, False, False]
    assert Limits(params=100).met(costs).tolist() == [True, True, False, False]
    assert Limits(flops=1000).met(costs).tolist() == [True, True, True, False]
    assert Limits().met(costs).all()


@pytest.mark.parametrize("field", ["params", "flops"])
def test_a_limit_is_positive(field):
    for wrong in (0, -5):
        with pytest.raises(ValidationError, match=field):
            Limits(**{field: wrong})


def test_limits_that_no_student_meets():
    (params,), (flops,) = (
        getattr(cost(TINY, TINY.pack([TINY.smallest]), 3), name) for name in ("params", "flops")
    )
    Limits(params=params, flops=flops).check(TINY, 3)
    for limits in (Limits(params=params - 1), Limits(flops=flops - 1)):
        with pytest.raises(UserError, match=rf"smallest one has {params:,} param.* {flops:,} FL"):
            limits.check(TINY, 3)
    with pytest.raises(UserError, match="no student of 'tiny'"):
        Limits(params=params).check(TINY, 4)  # one more class


def between(space, share, name):
    """A limit at a share of the way from the smallest to the largest student."""
    low, high = getattr(cost(space, space.pack([space.smallest, space.teacher]), 3), name)
    return int(low + share * (high - low))


@few
@given(st.floats(0.02, 1), st.floats(0.02, 1), st.integers(1, 20), st.integers(0, 99))
def test_samples_meet_the_limits(params, flops, n, seed):
    limits = Limits(params=between(MICRO, params, "params"), flops=between(MICRO, flops, "flops"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cost_module, "_WALKS", 256)
        found = sample_within(MICRO, limits, 3, n, rng(seed))
        assert found == sample_within(MICRO, limits, 3, n, rng(seed))
    assert len(set(found)) == len(found) == n
    assert limits.met(cost(MICRO, MICRO.pack(found), 3)).all()
    for spec in found:
        MICRO.check(spec)


def test_loose_limits_leave_the_uniform_draw():
    some = sample_within(MICRO, Limits(), 3, 1000, rng())
    depths = np.array([[len(stage) for stage in spec.stages] for spec in some])
    assert depths.mean(axis=0) == pytest.approx(np.full(4, 3.0), abs=0.2)


def test_a_small_space_gives_all_that_it_has(monkeypatch):
    monkeypatch.setattr(cost_module, "_WALKS", 100)
    for n in (72, 73):
        found = sample_within(TINY, Limits(), 3, n, rng())
        assert len(set(found)) == len(found) == 72


def test_the_corner_of_one_student(monkeypatch):
    monkeypatch.setattr(cost_module, "_WALKS", 32)
    least = Limits(params=between(MICRO, 0, "params"))
    assert sample_within(MICRO, least, 3, 5, rng()) == [MICRO.smallest]


def test_a_corner_is_reached_that_uniform_draws_miss():
    limits = Limits(params=between(MICRO, 0.002, "params"))
    drawn = MICRO.sample(20_000, rng())
    assert not limits.met(cost(MICRO, drawn, 3)).any()
    found = sample_within(MICRO, limits, 3, 15, rng())
    assert len(set(found)) == 15
    assert limits.met(cost(MICRO, MICRO.pack(found), 3)).all()


def test_no_student_is_drawn_from_limits_that_none_meets():
    with pytest.raises(UserError, match="no student of 'micro' meets the limits"):
        sample_within(MICRO, Limits(params=5), 3, 1, rng())
