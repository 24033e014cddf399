import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.data.augment import crop, draw, normalise
from dass_ray.data.statistics import channel_statistics

from ..make import few
from .make import split


def generator(seed):
    return torch.Generator().manual_seed(seed)


def augment(images, padding, flip, random):
    return crop(images, draw(len(images), padding, flip, random))


def one_by_one(images, draws):
    """The same crops and flips in the plain way."""
    out = torch.empty_like(images)
    size, p = images.shape[2:], draws.padding
    for i, image in enumerate(images):
        padded = torch.zeros(3, size[0] + 2 * p, size[1] + 2 * p, dtype=torch.uint8)
        padded[:, p : p + size[0], p : p + size[1]] = image
        top, left = draws.corner[:, i]
        out[i] = padded[:, top : top + size[0], left : left + size[1]]
        if draws.mirrored[i]:
            out[i] = out[i].flip(2)
    return out


@few
@given(
    st.integers(1, 9), st.integers(1, 7), st.integers(1, 7), st.integers(0, 4), st.booleans(),
    st.integers(0, 99),
)  # fmt: skip
def test_equals_a_loop_over_images(batch, height, width, padding, flip, seed):
    images = torch.randint(0, 256, (batch, 3, height, width), dtype=torch.uint8)
    expected = one_by_one(images, draw(batch, padding, flip, generator(seed)))
    out = augment(images, padding, flip, generator(seed))
    assert out.dtype == torch.uint8
    assert torch.equal(out, expected)


def test_channels_last_images():
    images = split(5, size=6).images
    last = images.contiguous(memory_format=torch.channels_last)
    assert torch.equal(augment(last, 2, True, generator(0)), augment(images, 2, True, generator(0)))


def test_without_padding_and_flip_nothing_changes():
    images = split(5, size=6).images
    assert torch.equal(augment(images, 0, False, generator(0)), images)


def test_the_generator_decides():
    images = split(20, size=6).images
    first, again, other = (augment(images, 2, True, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    used = generator(1)
    augment(images, 2, True, used)
    assert not torch.equal(augment(images, 2, True, used), first)


def test_every_corner_and_both_directions_are_drawn_evenly():
    draws = draw(9000, 1, True, generator(0))
    corners = draws.corner[0] * 3 + draws.corner[1]
    assert (torch.bincount(corners, minlength=9) - 1000).abs().max() < 150
    assert abs(draws.mirrored.float().mean() - 0.5) < 0.03
    assert not draw(100, 1, False, generator(0)).mirrored.any()


def test_draws_of_some_images():
    images = split(8, size=6).images
    draws, chosen = draw(8, 2, True, generator(0)), torch.tensor([5, 1, 1])
    assert torch.equal(crop(images[chosen], draws[chosen]), crop(images, draws)[chosen])


def test_normalise():
    images = split(4, size=3).images
    mean, std = torch.tensor([0.1, 0.5, 0.7]), torch.tensor([0.2, 0.3, 0.4])
    before = images.clone()
    out = normalise(images, mean, std)
    expected = (images.double() / 255 - mean.double()[:, None, None]) / std.double()[:, None, None]
    assert out.dtype == torch.float32
    assert torch.allclose(out.double(), expected, atol=1e-6)
    assert torch.equal(images, before)


def test_normalised_train_images_have_mean_0_and_deviation_1():
    images = split(50, size=8).images
    out = normalise(images, *channel_statistics(images)).transpose(0, 1).flatten(1)
    assert out.mean(1).abs().max() < 1e-5
    assert (out.std(1, correction=0) - 1).abs().max() < 1e-5


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_normalise_keeps_the_memory_format(memory_format):
    images = split(4, size=3).images.contiguous(memory_format=memory_format)
    out = normalise(images, torch.zeros(3), torch.ones(3))
    assert out.is_contiguous(memory_format=memory_format)
