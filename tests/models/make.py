"""Spaces, images and the plain way to run students, beside which the walk is held."""

import torch

from dass_ray.models.network import build
from dass_ray.models.remap import remap
from dass_ray.space import Space

FLAT = Space(name="flat", image_size=8, widths=(5, 5), strides=(1, 1), max_depth=4)
SHALLOW = Space(name="shallow", image_size=8, widths=(4, 6, 4), strides=(2, 1, 2), max_depth=1)


def images(space, count, seed=0):
    """Noise [count, 3, H, W] of the space's size."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, space.image_size, space.image_size, generator=generator)


def built(teacher, specs):
    """The plain way: each student built and remapped, in eval mode."""
    space = teacher.space
    for spec in space.unpack(specs):
        yield remap(teacher, build(space, spec, teacher.classes), "first").eval()


@torch.no_grad()
def one_by_one(teacher, specs, x):
    """Last maps [N, C, H, W] of the students, each built, remapped and run; means over images."""
    return torch.stack([net.features(x).mean(dim=0) for net in built(teacher, specs)])


def assert_close(found, expected, rtol=1e-4):
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=rtol, atol=rtol / 10 * float(expected.abs().max()))
