import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from dass_ray.models.resnet import Block
from dass_ray.models.shortcut import shortcut
from dass_ray.models.stacked import Moments, Stacked, pooled

from .. import make_task
from ..make import TINY, few
from .make import assert_close, images


def maps(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def block(inputs, width, stride, seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return make_task.shaken(Block(inputs, width, stride), seed)


def cut(whole, inputs, width):
    """A block of its own with the first channels of another."""
    part = Block(inputs, width, whole.stride)
    sizes = {name: value.shape for name, value in part.state_dict().items()}
    state = {
        name: value[tuple(slice(size) for size in sizes[name])]
        for name, value in whole.state_dict().items()
    }
    part.load_state_dict(state)
    return part.eval()


class Heard(list):
    def __call__(self, moments, normed):
        self.append((moments, normed.clone()))


@torch.no_grad()
@settings(few, max_examples=25)
@given(
    st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 2, 3]), st.sampled_from([None, 2, 4]),
    st.integers(0, 999),
)  # fmt: skip
def test_a_cut_block_equals_one_built_so(inputs, width, stride, group, seed):
    whole, x = block(6, 6, stride, seed), maps(3, 4, inputs, 6, 6, seed=seed)
    before, heard = x.clone(), Heard()
    found = whole.cut(Stacked(group), x, (width,), heard)
    part = cut(whole, inputs, width).train(group is not None)
    each = [torch.cat([part(some) for some in one.split(group or 4)]) for one in x]
    assert_close(found, torch.stack(each))
    assert torch.equal(x, before)
    assert [tuple(normed.shape) for _, normed in heard] == [found.shape] * 2


@torch.no_grad()
@pytest.mark.parametrize("group", [None, 2])
def test_a_cut_stem(teacher, group):
    x, heard = images(TINY, 4), Heard()
    found = teacher.cut_begin(Stacked(group), x, 3, heard)
    norm = copy.deepcopy(teacher.bn).train(group is not None)
    normed = torch.cat([norm(teacher.stem(some)) for some in x.split(group or 4)])[:, :3]
    assert_close(found, normed.relu()[None])
    assert_close(heard[0][1], normed[None])  # as it was before the ReLU


@torch.no_grad()
def test_what_is_told_of_a_batch_norm():
    whole, x, heard = block(3, 3, 1), maps(2, 4, 3, 5, 5), Heard()
    whole.cut(Stacked(2), x, (3,), heard)
    inputs = torch.stack([whole.conv1(one) for one in x])  # [n, B, C, H, W]
    moments = heard[0][0]
    for i in range(2):
        for g in range(2):
            own = inputs[i, 2 * g : 2 * g + 2].transpose(0, 1).flatten(1)
            assert_close(moments.mean[i, g], own.mean(dim=1))
            assert_close(moments.variance[i, g], own.var(dim=1, unbiased=False))
    assert moments.count == 2 * 25
    quiet = Heard()
    whole.cut(Stacked(None), x, (3,), quiet)
    assert [moments for moments, _ in quiet] == [None, None]


@few
@given(st.integers(1, 3), st.sampled_from([1, 2, 3, 6]), st.integers(0, 999))
def test_moments(n, group, seed):
    x = 3 * maps(n, 6, 4, 3, 5, seed=seed) + maps(4, 1, 1, seed=seed)
    found = Moments.of(x, group)
    assert found.mean.shape == found.variance.shape == (n, 6 // group, 4)
    assert found.count == group * 15
    own = x.double().view(n, 6 // group, group, 4, 15).transpose(2, 3).flatten(3)
    variance, mean = torch.var_mean(own, dim=3, unbiased=False)
    assert_close(found.mean, mean.float())
    assert_close(found.variance, variance.float())


def test_equal_numbers_have_no_negative_variance():
    assert Moments.of(torch.full((1, 4, 2, 7, 7), 0.1), 4).variance.min() >= 0


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_pooling_is_the_shortcuts(stride):
    x = maps(2, 3, 4, 12, 24)
    expected = torch.stack([shortcut(one, 4, stride) for one in x])
    assert torch.equal(pooled(x, stride), expected)


@torch.no_grad()
def test_bfloat16_is_for_convolutions_only():
    whole, x = block(4, 4, 2), maps(2, 3, 4, 6, 6)
    heard = Heard()
    exact, short = (
        whole.cut(Stacked(3, d), x, (4,), heard) for d in (torch.float32, torch.bfloat16)
    )
    assert short.dtype == heard[-1][1].dtype == heard[-1][0].mean.dtype == torch.float32
    assert 1e-5 < (short - exact).norm() / exact.norm() < 0.02


@torch.no_grad()
def test_running_statistics_stay():
    whole, x = block(4, 4, 1), maps(1, 3, 4, 6, 6)
    before = {name: value.clone() for name, value in whole.state_dict().items()}
    whole.cut(Stacked(3), x, (4,), Heard())
    assert all(torch.equal(before[name], value) for name, value in whole.state_dict().items())
    assert all(not m.training for m in whole.modules() if isinstance(m, nn.BatchNorm2d))
