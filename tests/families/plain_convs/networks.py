"""The networks of the plain family."""

import torch.nn.functional as F
from torch import nn

from dass_ray.models.network import NetworkBlock, StagedNetwork, kaiming


class PlainBlock(NetworkBlock):
    def __init__(self, inputs, width, stride):
        super().__init__()
        self.conv = nn.Conv2d(inputs, width, 3, stride, padding=1, bias=False)
        self.bn = nn.BatchNorm2d(width)

    def forward(self, x):
        return F.relu(self.bn(self.conv(x)))

    def cut(self, run, maps, numbers, told):
        return run.norm(self.bn, run.conv(self.conv, maps, numbers[0]), told).relu_()


class PlainNetwork(StagedNetwork):
    def __init__(self, space, spec, classes):
        super().__init__(space, spec, classes)
        width = space.family.stem
        self.stem, self.stages = PlainBlock(3, width, 1), nn.ModuleList()
        for stage, stride in zip(spec.widths, space.strides, strict=True):
            blocks = nn.ModuleList()
            for j, out in enumerate(stage):
                blocks.append(PlainBlock(width, out, stride if j == 0 else 1))
                width = out
            self.stages.append(blocks)
        self.head = nn.Linear(width, classes)
        kaiming(self)

    def begin(self, images):
        return self.stem(images)

    def cut_begin(self, run, images, width, told):
        return self.stem.cut(run, images[None], (width,), told)
