import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from dass_ray.data import resize as module
from dass_ray.data.resize import resize

from ..make import few
from .make import split


def test_same_size_is_the_same_tensor():
    images = split(2, size=8).images
    assert resize(images, 8) is images


@pytest.mark.parametrize(("side", "size"), [(64, 16), (32, 24), (8, 16), (17, 5)])
def test_agrees_with_pillow(side, size):
    images = split(3, size=side).images
    for image, ours in zip(images, resize(images, size), strict=True):
        pillow = Image.fromarray(image.permute(1, 2, 0).numpy())
        expected = np.asarray(pillow.resize((size, size), Image.Resampling.BILINEAR))
        assert np.abs(ours.permute(1, 2, 0).numpy().astype(int) - expected).max() <= 1


def test_fine_stripes_become_grey_instead_of_aliasing():
    stripes = torch.zeros(1, 3, 32, 32, dtype=torch.uint8)
    stripes[..., ::2] = 255
    small = resize(stripes, 8)[..., 1:-1].int()
    assert (small - 127).abs().max() <= 8


@few
@given(st.integers(0, 255), st.integers(1, 20), st.integers(1, 20), st.integers(2, 20))
def test_a_constant_stays_one(value, height, width, size):
    images = torch.full((2, 3, height, width), value, dtype=torch.uint8)
    assert torch.equal(resize(images, size), torch.full((2, 3, size, size), value).byte())


def test_chunks_do_not_matter(monkeypatch):
    images = split(7, size=16).images
    whole = resize(images, 5)
    monkeypatch.setattr(module, "CHUNK_PIXELS", 2 * 16 * 16)
    assert torch.equal(resize(images, 5), whole)
