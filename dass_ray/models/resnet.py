"""One ResNet for teachers and students: basic blocks whose shortcuts have no weights.

Letters: B images, C channels, H and W their size, n students or prefixes of them.
Source: the "resnet" space of Lee et al., ICLR 2023; blocks as in He et al., CVPR 2016, option A.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.models.network import NetworkBlock, StagedNetwork, kaiming
from dass_ray.models.shortcut import shortcut
from dass_ray.models.stacked import OnNorm, Stacked, pooled
from dass_ray.space import Space, Spec


def _conv(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)


class Block(NetworkBlock):
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

    def cut(self, run: Stacked, maps: Tensor, numbers: Sequence[int], told: OnNorm) -> Tensor:
        """See `NetworkBlock.cut`."""
        (width,) = numbers
        out = run.conv(self.conv1, maps, width)
        out = run.norm(self.bn1, out, told).relu_()
        out = run.norm(self.bn2, run.conv(self.conv2, out, width), told)
        common = min(width, maps.shape[2])  # the rest of a wider block adds zeros
        out[:, :, :common] += pooled(maps[:, :, :common], self.stride)
        return out.relu_()


class ResNet(StagedNetwork):
    """The network of a spec: stem, stages of blocks, global mean, linear head."""

    def __init__(self, space: Space, spec: Spec, classes: int) -> None:
        super().__init__(space, spec, classes)
        width = spec.widths[0][0]
        self.stem, self.bn = _conv(3, width), nn.BatchNorm2d(width)
        self.stages = nn.ModuleList()
        for stage, stride in zip(spec.widths, space.strides, strict=True):
            blocks = nn.ModuleList()
            for j, out in enumerate(stage):
                blocks.append(Block(width, out, stride if j == 0 else 1))
                width = out
            self.stages.append(blocks)
        self.head = nn.Linear(width, classes)
        kaiming(self)

    def begin(self, images: Tensor) -> Tensor:
        """See `StagedNetwork.begin`."""
        return F.relu(self.bn(self.stem(images)))

    def cut_begin(self, run: Stacked, images: Tensor, width: int, told: OnNorm) -> Tensor:
        """See `StagedNetwork.cut_begin`."""
        out = run.conv(self.stem, images[None], width)
        return run.norm(self.bn, out, told).relu_()
