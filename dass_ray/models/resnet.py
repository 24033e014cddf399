"""One ResNet for teachers and students: basic blocks whose shortcuts have no weights.

Letters: B images, C channels, H and W their size, K classes.
Source: the "resnet" space of Lee et al., ICLR 2023; blocks as in He et al., CVPR 2016, option A.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.models.staged import Outputs
from dass_ray.space import Space, Spec


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


def shortcut(x: Tensor, width: int, stride: int) -> Tensor:
    """[B, C, H, W] -> [B, width, H/stride, W/stride]: max-pooled, zero-padded or cut."""
    x = F.max_pool2d(x, stride) if stride > 1 else x
    missing = width - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, 0, missing)) if missing > 0 else x[:, :width]


class Block(nn.Module):
    """Two 3x3 convolutions of one width, each with batch norm, and a shortcut without weights."""

    def __init__(self, inputs: int, width: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv1, self.bn1 = _conv(inputs, width, stride), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = _conv(width, width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, width, H/stride, W/stride]."""
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        return F.relu(out + shortcut(x, out.shape[1], self.stride))


class ResNet(nn.Module):
    """The network of a spec: stem, stages of blocks, global mean, linear head."""

    def __init__(self, space: Space, spec: Spec, classes: int) -> None:
        super().__init__()
        self.space, self.spec, self.classes = space, space.check(spec), classes
        width = spec.stages[0][0]
        self.stem, self.bn = _conv(3, width), nn.BatchNorm2d(width)
        self.stages = nn.ModuleList()
        for stage, stride in zip(spec.stages, space.strides, strict=True):
            blocks = nn.ModuleList()
            for j, out in enumerate(stage):
                blocks.append(Block(width, out, stride if j == 0 else 1))
                width = out
            self.stages.append(blocks)
        self.head = nn.Linear(width, classes)
        self._reset()

    def _reset(self) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out")

    def features(self, x: Tensor) -> Tensor:
        """The last stage's activation map: [B, 3, H, W] -> [B, C, H', W']."""
        x = F.relu(self.bn(self.stem(x)))
        for stage in self.stages:
            x = _through(stage, x)
        return x

    def outputs(self, x: Tensor) -> Outputs:
        """Logits [B, K] and the stages' ends of images [B, 3, H, W]."""
        x, ends = F.relu(self.bn(self.stem(x))), []
        for stage in self.stages:
            x = _through(stage, x)
            ends.append(x)
        return Outputs(self._logits(x), tuple(ends))

    def forward(self, x: Tensor) -> Tensor:
        """Logits: [B, 3, H, W] -> [B, K]."""
        return self._logits(self.features(x))

    def _logits(self, features: Tensor) -> Tensor:
        out: Tensor = self.head(features.mean(dim=(2, 3)))
        return out


def _through(stage: nn.Module, x: Tensor) -> Tensor:
    for block in stage:  # type: ignore[attr-defined] # a ModuleList is iterable
        x = block(x)
    return x


def seeded(space: Space, spec: Spec, classes: int, seed: int) -> ResNet:
    """A network whose fresh weights depend on `seed` alone; global random state stays untouched."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return ResNet(space, spec, classes)
