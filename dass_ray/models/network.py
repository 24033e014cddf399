"""What all networks have in common: a stem, stages of blocks, a global mean and a linear head.

Each also knows how its parts run when they are cut to students' sizes, many students at a time:
that is what the walk over a prefix tree is made of.
Letters: B images, C channels, H and W a map's size, K classes, n students or prefixes of them.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pkgutil import resolve_name
from typing import cast

import torch
from torch import Tensor, nn

from dass_ray.models.stacked import OnNorm, Stacked
from dass_ray.models.staged import Outputs
from dass_ray.space import Space, Spec


class NetworkBlock(nn.Module, ABC):
    """A block of a stage."""

    @abstractmethod
    def cut(self, run: Stacked, maps: Tensor, numbers: Sequence[int], told: OnNorm) -> Tensor:
        """This block of a teacher, cut to a student's block of these numbers (width first).

        [n, B, C, H, W] -> [n, B, width, ., .]; what comes in stays as it is. It must equal the
        student's own block with the first channels of every weight.
        """


class StagedNetwork(nn.Module, ABC):
    """The network of a spec. A family's own class makes `stages` and `head`."""

    stages: nn.ModuleList
    """A ModuleList of blocks for each stage."""
    head: nn.Linear

    def __init__(self, space: Space, spec: Spec, classes: int) -> None:
        super().__init__()
        self.space, self.spec, self.classes = space, space.check(spec), classes

    @property
    def blocks(self) -> list[list[NetworkBlock]]:
        """The blocks of each stage."""
        return [list(cast("list[NetworkBlock]", stage)) for stage in self.stages]

    @abstractmethod
    def begin(self, images: Tensor) -> Tensor:
        """The stem: [B, 3, ., .] -> [B, C, H, W]."""

    def end(self, maps: Tensor) -> Tensor:
        """What follows the last stage, before the mean: [B, C, H, W] -> [B, C', H, W]."""
        return maps

    @abstractmethod
    def cut_begin(self, run: Stacked, images: Tensor, width: int, told: OnNorm) -> Tensor:
        """A teacher's stem cut to `width`: [B, 3, ., .] -> [1, B, width, H, W]."""

    def cut_end(self, run: Stacked, maps: Tensor, told: OnNorm) -> Tensor:
        """A teacher's `end` cut to what comes in: [n, B, C, H, W] -> [n, B, C', H, W]."""
        return maps

    def outputs(self, x: Tensor) -> Outputs:
        """Logits [B, K] and the stages' ends, the last as the head sees it; of [B, 3, H, W]."""
        ends = []
        x = self.begin(x)
        for stage in self.blocks:
            for block in stage:
                x = block(x)
            ends.append(x)
        ends[-1] = self.end(ends[-1])
        return Outputs(self._logits(ends[-1]), tuple(ends))

    def features(self, x: Tensor) -> Tensor:
        """The last activation map: [B, 3, H, W] -> [B, C, H', W']."""
        x = self.begin(x)
        for stage in self.blocks:
            for block in stage:
                x = block(x)
        return self.end(x)

    def forward(self, x: Tensor) -> Tensor:
        """Logits: [B, 3, H, W] -> [B, K]."""
        return self._logits(self.features(x))

    def _logits(self, features: Tensor) -> Tensor:
        out: Tensor = self.head(features.mean(dim=(2, 3)))
        return out


def build(space: Space, spec: Spec, classes: int) -> StagedNetwork:
    """The network of a spec, of the class that its space's family names."""
    found: StagedNetwork = resolve_name(space.family.network)(space, spec, classes)
    return found


def seeded(space: Space, spec: Spec, classes: int, seed: int) -> StagedNetwork:
    """A network whose fresh weights depend on `seed` alone; global random state stays untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build(space, spec, classes)


def kaiming(net: nn.Module) -> None:
    """Fresh weights of convolutions, by He et al., ICCV 2015, that keep the variance backwards."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out")
