"""What goes through remapped students and is looked at: maps, comparisons and zero-cost scores.

Each probe is the batched form of what is defined for one network: `zero_cost.zen`,
`zero_cost.nwot` and `comparisons`.
Letters: n students, B images, C channels, H and W a map's size, K classes, G comparisons.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.models.stacked import Moments
from dass_ray.predictor.comparisons import COMPARED, Compared, Seen
from dass_ray.zero_cost import nwot, zen


@dataclass(frozen=True)
class Maps:
    """The last activation map, as the teacher's statistics give it, mean over the images."""

    images: Tensor
    pooled: bool
    group: None = None

    def normed(self, _moments: Moments | None, _maps: Tensor) -> None:
        """Sees nothing."""

    def stage(self, _number: int, _maps: Tensor) -> None:
        """Sees nothing."""

    def finish(self, maps: Tensor, _seen: Tensor | None) -> Tensor:
        """[n, C, H, W], or [n, C, 1, 1] where it is pooled."""
        mean = maps.mean(dim=1)
        return mean.mean(dim=(2, 3), keepdim=True) if self.pooled else mean


@dataclass(frozen=True)
class Comparisons:
    """Students against labels and teacher, with the batch's statistics."""

    teacher: StagedNetwork
    images: Tensor
    labels: Tensor
    theirs: Seen
    names: Sequence[Compared]

    @property
    def group(self) -> int:
        """All images at once."""
        return len(self.images)

    def normed(self, _moments: Moments | None, _maps: Tensor) -> None:
        """Sees nothing."""

    def stage(self, number: int, maps: Tensor) -> Tensor | None:
        """Features of the stage before the last [n, B * C], padded to the stage's width."""
        if "early_similarity" not in self.names or number != len(self.teacher.stages) - 2:
            return None
        width = self.teacher.space.widths[number]
        means = maps.mean(dim=(3, 4))
        missing = width - means.shape[2]
        return torch.nn.functional.pad(means, (0, missing)).flatten(1)

    def finish(self, maps: Tensor, seen: Tensor | None) -> Tensor:
        """[n, G]."""
        features = maps.mean(dim=(3, 4))
        early = features if seen is None else seen.view(len(maps), len(self.images), -1)
        logits = self.teacher.head(features)
        rows = []
        for stages, own in zip(zip(early, features, strict=True), logits, strict=True):
            ours = Seen(stages, own, self.labels)
            found = [COMPARED[name](ours, self.theirs).float() for name in self.names]
            rows.append(torch.stack(found))
        return torch.stack(rows)


@dataclass(frozen=True)
class Codes:
    """`nwot`: how differently the ReLUs split the images, by the teacher's statistics."""

    images: Tensor
    group: None = None

    def normed(self, _moments: Moments | None, maps: Tensor) -> Tensor:
        """Each layer's part of the kernel of activation codes, and its numbers: [n, B * B + 1]."""
        on = (maps > 0).flatten(2).float()  # 0 and 1 are made thrice as fast as -1 and 1
        length, active = on.shape[2], on.sum(dim=2)
        kernel = 4 * (on @ on.mT) - 2 * (active[:, :, None] + active[:, None]) + length
        return torch.cat([kernel.flatten(1), kernel.new_full((len(on), 1), length)], dim=1)

    def stage(self, _number: int, _maps: Tensor) -> None:
        """Sees nothing."""

    def finish(self, _maps: Tensor, seen: Tensor | None) -> Tensor:
        """[n, 1]."""
        assert seen is not None
        b = len(self.images)
        return nwot.of_kernel(seen[:, :-1].view(-1, b, b), seen[:, -1])[:, None]


@dataclass(frozen=True)
class Noise:
    """`zen`: how far the features of noise move with a little more of it, and batch norms.

    images [2 * B, 3, H, W]: noise, then the same with a little more.
    """

    images: Tensor

    @classmethod
    def like(cls, images: Tensor) -> "Noise":
        """Noise in the shape of images [B, 3, H, W]."""
        return cls(torch.cat(zen.noise(images)))

    @property
    def group(self) -> int:
        """Each half by its own statistics."""
        return len(self.images) // 2

    def normed(self, moments: Moments | None, _maps: Tensor) -> Tensor:
        """The log of a batch norm's standard deviation, on the first half: [n, 1]."""
        assert moments is not None
        unbiased = moments.variance[:, :1] * (moments.count / (moments.count - 1))
        return zen.deviation(unbiased.mean(dim=2))

    def stage(self, _number: int, _maps: Tensor) -> None:
        """Sees nothing."""

    def finish(self, maps: Tensor, seen: Tensor | None) -> Tensor:
        """[n, 1]."""
        assert seen is not None
        before, after = maps.chunk(2, dim=1)
        return zen.moved(before - after) + seen
