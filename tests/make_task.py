"""Tiny data sets and networks for the tests of layers 1 and above."""

import numpy as np
import torch
from torch import nn

from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import Dataset, Split, load_dataset, write_dataset
from dass_ray.data.source import UNLABELLED
from dass_ray.models.network import seeded

from .make import CLASSES, TINY


def pictures(count, size=8, seed=0):
    """Labelled images: noise with a tinge of the colour that the class decides."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % len(CLASSES)
    images = rng.integers(0, 190, (count, 3, size, size), dtype=np.uint8)
    images[np.arange(count), labels] += np.uint8(60)
    return Split(torch.from_numpy(images), torch.from_numpy(labels))


def splits(size=8, seed=0):
    counts = {"train": 66, "validation": 30, "test": 24}
    return {name: pictures(n, size, seed + i) for i, (name, n) in enumerate(counts.items())}


def dataset(size=8, seed=0, **changed):
    """A data set in memory, with a card as if it were stored; `changed` replaces splits."""
    card = DatasetCard(
        name="tinges", fingerprint=str(seed) * 64, classes=CLASSES, image_size=size,
        counts={}, parts={}, source="made by a test",
    )  # fmt: skip
    return Dataset.of(card, splits(size, seed) | changed)


def with_unlabelled(data, count=40, seed=9):
    """The same data set with other pictures, without labels, behind its training images."""
    more = pictures(count, data.image_size, seed).images
    images = torch.cat([data.train.images, more])
    labels = torch.cat([data.train.labels, torch.full((count,), UNLABELLED)])
    return Dataset.of(data.card, data.splits | {"train": Split(images, labels)})


def stored(store, name="tinges", size=8, seed=0):
    """The same data set in a store."""
    write_dataset(store, name, splits(size, seed), CLASSES, "made by a test")
    return load_dataset(store, name)


def shaken(net, seed=0):
    """The network in eval mode with random batch norms, which a fresh one would hide."""
    generator = torch.Generator().manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight.data, 0.5, 1.5), (module.bias.data, -0.3, 0.3),
                (module.running_mean, -0.3, 0.3), (module.running_var, 0.5, 1.5),
            ):  # fmt: skip
                values.uniform_(low, high, generator=generator)
    return net.eval()


def teacher(space=TINY, classes=3, seed=0):
    """The largest network of a space, with random weights and batch norms."""
    return shaken(seeded(space, space.teacher, classes, seed), seed)
