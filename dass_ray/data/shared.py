"""Large data sets of a node: decoded once into files, which all its processes map."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from dass_ray.data.mapped import made_once, open_tensor
from dass_ray.data.source import UNLABELLED
from dass_ray.data.statistics import channel_statistics

Content = dict[str, tuple[Tensor, Tensor]]
"""split -> (images uint8 [N,3,S,S], labels int64 [N])."""


class Shared(NamedTuple):
    """What is in the files. mean, std: float32 [3], of the train split."""

    content: Content
    mean: Tensor
    std: Tensor


def shared(
    key: str, counts: Mapping[str, int], size: int, fill: Callable[[Content], None]
) -> Shared:
    """The images of `size` px under a key; `fill` writes them on the first call on this node.

    key: decides the content; counts: split -> images.
    """

    def make(folder: Path) -> None:
        content = _content(folder, counts, size)
        fill(content)
        images, labels = content["train"]
        labelled = int((labels != UNLABELLED).sum())  # they come first
        _statistics(folder)[:] = torch.stack(channel_statistics(images[:labelled]))

    folder = made_once(key, make)
    mean, std = _statistics(folder)
    return Shared(_content(folder, counts, size), mean, std)


def _content(folder: Path, counts: Mapping[str, int], size: int) -> Content:
    return {
        split: (
            open_tensor(folder / f"{split}.images", (n, 3, size, size), torch.uint8),
            open_tensor(folder / f"{split}.labels", (n,), torch.int64),
        )
        for split, n in counts.items()
    }


def _statistics(folder: Path) -> Tensor:
    return open_tensor(folder / "statistics", (2, 3), torch.float32)
