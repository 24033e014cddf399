"""Some training images that are looked at, always the same ones and from everywhere.

Letters: B images, H and W their size.
"""

import torch
from torch import Tensor

from dass_ray.data.augment import normalise
from dass_ray.data.dataset import Dataset


def shown(images: int, n: int) -> Tensor:
    """Indices of the n training images, of so many, that are looked at."""
    return torch.randperm(images, generator=torch.Generator().manual_seed(0))[:n]


def labelled(data: Dataset, n: int) -> tuple[Tensor, Tensor]:
    """Pixels uint8 [B, 3, H, W] and labels [B] of n labelled training images."""
    train = data.labelled().train
    chosen = shown(len(train), n).to(train.images.device)
    return train.images[chosen], train.labels[chosen.to(train.labels.device)]


def normalised(data: Dataset, n: int) -> tuple[Tensor, Tensor]:
    """The same images, normalised on the data set's device."""
    pixels, labels = labelled(data, n)
    return normalise(pixels.to(data.device), data.mean, data.std), labels
