"""Networks of inverted bottlenecks, for teachers and students.

Letters: B images, C channels, H and W their size, n students or prefixes of them.
Source: Sandler et al., "MobileNetV2", CVPR 2018. Unlike there, ReLU is not cut off at 6, which
serves fixed-point numbers; every block is widened, also by 1; and where a shortcut joins maps of
different widths it is cut or zero-padded, so that every block's width may vary.
"""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.families.mobilenet import MobileNetBlocks
from dass_ray.models.network import NetworkBlock, StagedNetwork, kaiming
from dass_ray.models.shortcut import shortcut
from dass_ray.models.stacked import OnNorm, Stacked
from dass_ray.space import Space, Spec


def _pointwise(inputs: int, outputs: int) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 1, bias=False)


class Bottleneck(NetworkBlock):
    """1x1 to `expansion` times the channels, 3x3 on each alone, 1x1 to `width`.

    Batch norms after each, ReLUs after the first two; a shortcut where the stride is 1.
    """

    def __init__(self, inputs: int, width: int, expansion: int, stride: int) -> None:
        super().__init__()
        inner, self.stride = inputs * expansion, stride
        self.widen, self.bn1 = _pointwise(inputs, inner), nn.BatchNorm2d(inner)
        self.filter = nn.Conv2d(inner, inner, 3, stride, 1, groups=inner, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.narrow, self.bn3 = _pointwise(inner, width), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> [B, width, H/stride, W/stride]."""
        out = F.relu(self.bn1(self.widen(x)))
        out = F.relu(self.bn2(self.filter(out)))
        narrow: Tensor = self.bn3(self.narrow(out))
        return narrow if self.stride > 1 else narrow + shortcut(x, narrow.shape[1], 1)

    def cut(self, run: Stacked, maps: Tensor, numbers: Sequence[int], told: OnNorm) -> Tensor:
        """See `NetworkBlock.cut`."""
        width, expansion = numbers
        inner = expansion * maps.shape[2]
        out = run.norm(self.bn1, run.conv(self.widen, maps, inner), told).relu_()
        out = run.norm(self.bn2, run.conv(self.filter, out, inner), told).relu_()
        out = run.norm(self.bn3, run.conv(self.narrow, out, width), told)
        if self.stride == 1:
            common = min(width, maps.shape[2])
            out[:, :, :common] += maps[:, :, :common]
        return out


class MobileNet(StagedNetwork):
    """Stem, stages of inverted bottlenecks, a 1x1 convolution, global mean, linear head."""

    def __init__(self, space: Space, spec: Spec, classes: int) -> None:
        super().__init__(space, spec, classes)
        family = space.family
        assert isinstance(family, MobileNetBlocks)
        self.stem = nn.Conv2d(3, family.stem, 3, padding=1, bias=False)
        self.bn, width = nn.BatchNorm2d(family.stem), family.stem
        self.stages = nn.ModuleList()
        for stage, stride in zip(spec.stages, space.strides, strict=True):
            blocks = nn.ModuleList()
            for j, block in enumerate(stage):
                assert isinstance(block, tuple)
                out, expansion = block
                blocks.append(Bottleneck(width, out, expansion, stride if j == 0 else 1))
                width = out
            self.stages.append(blocks)
        self.last, self.bn_last = _pointwise(width, family.head), nn.BatchNorm2d(family.head)
        self.head = nn.Linear(family.head, classes)
        kaiming(self)

    def begin(self, images: Tensor) -> Tensor:
        """See `StagedNetwork.begin`."""
        return F.relu(self.bn(self.stem(images)))

    def end(self, maps: Tensor) -> Tensor:
        """See `StagedNetwork.end`."""
        return F.relu(self.bn_last(self.last(maps)))

    def cut_begin(self, run: Stacked, images: Tensor, width: int, told: OnNorm) -> Tensor:
        """See `StagedNetwork.cut_begin`."""
        return run.norm(self.bn, run.conv(self.stem, images[None], width), told).relu_()

    def cut_end(self, run: Stacked, maps: Tensor, told: OnNorm) -> Tensor:
        """See `StagedNetwork.cut_end`."""
        out = run.conv(self.last, maps, self.last.out_channels)
        return run.norm(self.bn_last, out, told).relu_()
