"""What the commands of the docs are given: drawn pictures, a module, weights, a config."""

from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = np.array(
    [(200, 60, 60), (60, 200, 60), (60, 60, 200), (180, 180, 40), (40, 180, 180), (180, 40, 180)]
)
PER_CLASS, SIDE = 20, 16
MODULE = '''
"""A network from elsewhere, as a user would have one."""

from torch import nn


class Net(nn.Sequential):
    """The mean colour, and a linear layer."""

    def __init__(self, classes):
        super().__init__(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, classes))
'''


def pictures(name: str, classes: int = 6) -> dict[str, np.ndarray]:
    """Noisy pictures of 16 px whose colour tells their class; others for each name."""
    rng = np.random.default_rng(list(name.encode()))
    labels = np.arange(PER_CLASS * classes) % classes
    noise = rng.normal(0, 40, size=(len(labels), SIDE, SIDE, 3))
    images = (COLOURS[labels, None, None] + noise).clip(0, 255).astype(np.uint8)
    return {"images": images, "labels": labels}


def folder(root: Path, name: str) -> None:
    """The pictures of a name as files, with a folder for each class."""
    drawn = pictures(name)
    for index, (image, label) in enumerate(zip(*drawn.values(), strict=True)):
        (root / f"colour {label}").mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(root / f"colour {label}" / f"{index}.png")
