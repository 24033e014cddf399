import torch

from dass_ray.data.statistics import channel_statistics

from .make import split


def test_equals_the_definition():
    images = split(5, size=7).images
    mean, std = channel_statistics(images)
    unit = images.double().transpose(0, 1).flatten(1) / 255
    assert torch.allclose(mean.double(), unit.mean(1), atol=1e-7)
    assert torch.allclose(std.double(), unit.std(1, correction=0), atol=1e-7)
    assert (mean.dtype, mean.shape) == (torch.float32, (3,))


def test_channels_are_apart_and_constant_ones_do_not_divide_by_zero():
    images = torch.zeros(4, 3, 2, 2, dtype=torch.uint8)
    images[:, 1] = 255
    mean, std = channel_statistics(images)
    assert mean.tolist() == [0, 1, 0]
    assert torch.allclose(std, torch.full((3,), 1 / 255))
