"""Parameter remapping: a student starts from a part of its teacher's weights.

Source: Lee et al., ICLR 2023 (after FNA, Fang et al., ICLR 2020). The k-th block of a student's
stage takes a block of the teacher's stage, cut to the student's channels:
`first`: the first blocks, their first channels; `last`: the last blocks, their last channels;
`uniform`: the first blocks, every s-th channel, s = floor(teacher's channels / student's).
"""

from typing import Literal

import torch
from torch import Tensor, nn

from dass_ray.models.resnet import Block, ResNet

Remap = Literal["first", "last", "uniform"]


@torch.no_grad()
def remap(teacher: ResNet, student: ResNet, how: Remap = "first") -> ResNet:
    """Copies the teacher's weights into the student, in place, and returns the student.

    The head is copied whole: both networks end in the same width and number of classes.
    """
    assert teacher.space == student.space
    assert teacher.classes == student.classes
    _copy(teacher.stem, teacher.bn, student.stem, student.bn, how)
    for theirs, ours in zip(teacher.stages, student.stages, strict=True):
        assert isinstance(theirs, nn.ModuleList)
        assert isinstance(ours, nn.ModuleList)
        skip = len(theirs) - len(ours) if how == "last" else 0
        for source, target in zip(list(theirs)[skip:], ours, strict=False):
            assert isinstance(source, Block)
            assert isinstance(target, Block)
            _copy(source.conv1, source.bn1, target.conv1, target.bn1, how)
            _copy(source.conv2, source.bn2, target.conv2, target.bn2, how)
    student.head.load_state_dict(teacher.head.state_dict())
    return student


def _copy(
    conv: nn.Conv2d, norm: nn.BatchNorm2d, to_conv: nn.Conv2d, to_norm: nn.BatchNorm2d, how: Remap
) -> None:
    rows = channels(conv.out_channels, to_conv.out_channels, how)
    columns = channels(conv.in_channels, to_conv.in_channels, how)
    to_conv.weight.copy_(conv.weight[rows][:, columns])
    state = norm.state_dict()
    cut = {name: value[rows] if value.ndim else value for name, value in state.items()}
    to_norm.load_state_dict(cut)


def channels(total: int, kept: int, how: Remap) -> Tensor:
    """Indices [kept] of the channels that a student takes out of `total`."""
    if how == "uniform":
        return torch.arange(0, total, total // kept)[:kept]
    start = total - kept if how == "last" else 0
    return torch.arange(start, start + kept)
