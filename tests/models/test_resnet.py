import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dass_ray.errors import UserError
from dass_ray.models.network import seeded
from dass_ray.models.resnet import Block, ResNet
from dass_ray.models.shortcut import shortcut
from dass_ray.space import MICRO, Spec

from ..make import ODD, TINY, few, specs


def images(space, count=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, space.image_size, space.image_size, generator=generator)


@few
@given(st.sampled_from([TINY, ODD, MICRO]), st.integers(0, 999), st.integers(2, 12))
@torch.no_grad()
def test_shapes_follow_the_spec(space, seed, classes):
    (spec,) = specs(space, 1, seed)
    net = ResNet(space, spec, classes).eval()
    side = space.image_size
    for stride in space.strides:
        side //= stride
    maps = net.features(images(space))
    assert maps.shape == (2, space.widths[-1], side, side)
    assert net(images(space)).shape == (2, classes)
    blocks = [[block.conv1.out_channels for block in stage] for stage in net.stages]
    assert tuple(map(tuple, blocks)) == spec.stages
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == 1 + 2 * sum(map(len, spec.stages))
    assert net.stem.out_channels == spec.stages[0][0]


@torch.no_grad()
def test_logits_are_the_head_of_the_mean_map(teacher):
    x = images(TINY)
    expected = teacher.features(x).mean(dim=(2, 3)) @ teacher.head.weight.T + teacher.head.bias
    assert torch.allclose(teacher(x), expected, atol=1e-6)


@torch.no_grad()
def test_outputs_are_logits_and_the_ends_of_stages():
    net, x = ResNet(ODD, specs(ODD, 1)[0], 4).eval(), images(ODD)
    logits, ends = net.outputs(x)
    assert torch.equal(logits, net(x))
    assert torch.equal(ends[-1], net.features(x))
    assert [tuple(end.shape[1:]) for end in ends] == [
        (stage[-1], side, side) for stage, side in zip(net.spec.stages, (6, 2, 2), strict=True)
    ]
    caught = []
    for stage in net.stages:
        stage[-1].register_forward_hook(lambda _block, _x, out: caught.append(out))
    net(x)
    assert all(torch.equal(a, b) for a, b in zip(ends, caught, strict=True))


def test_a_spec_outside_of_the_space_is_refused():
    with pytest.raises(UserError, match="width 5 in stage 1"):
        ResNet(TINY, Spec.parse("5/8"), 3)


def test_shortcut_pads_cuts_and_pools():
    x = torch.arange(2 * 2 * 4 * 4.0).reshape(2, 2, 4, 4)
    assert torch.equal(shortcut(x, 2, 1), x)
    assert torch.equal(shortcut(x, 1, 1), x[:, :1])
    wide = shortcut(x, 5, 1)
    assert torch.equal(wide[:, :2], x)
    assert wide.shape == (2, 5, 4, 4)
    assert wide[:, 2:].abs().max() == 0
    pooled = shortcut(x, 3, 2)
    assert torch.equal(pooled[0, 0], torch.tensor([[5.0, 7.0], [13.0, 15.0]]))
    assert pooled[:, 2].abs().max() == 0


@torch.no_grad()
def test_block_by_hand():
    block = Block(2, 3, 2).eval()
    x = torch.randn(2, 2, 6, 6, generator=torch.Generator().manual_seed(0))
    inner = F.conv2d(x, block.conv1.weight, stride=2, padding=1) / (1 + 1e-5) ** 0.5
    outer = F.conv2d(inner.relu(), block.conv2.weight, padding=1) / (1 + 1e-5) ** 0.5
    outer[:, :2] += F.max_pool2d(x, 2)
    assert torch.allclose(block(x), outer.relu(), atol=1e-5)


@torch.no_grad()
def test_a_block_without_weights_is_its_shortcut():
    block = Block(3, 5, 2).eval()
    block.bn2.weight.zero_()
    x = images(TINY)
    assert torch.equal(block(x), shortcut(x, 5, 2).relu())


def test_the_seed_alone_decides():
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = seeded(TINY, TINY.teacher, 3, 7).state_dict()
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again, other = (seeded(TINY, TINY.teacher, 3, s).state_dict() for s in (7, 8))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["head.weight"], other["head.weight"])
    assert not torch.equal(first["stem.weight"], other["stem.weight"])


def test_first_weights_keep_the_variance():
    """He et al.: the standard deviation of a convolution is sqrt(2 / (9 * output channels))."""
    weight = ResNet(MICRO, MICRO.teacher, 3).stages[3][0].conv1.weight
    assert weight.shape == (64, 32, 3, 3)
    assert weight.std().item() == pytest.approx((2 / (9 * 64)) ** 0.5, rel=0.05)
