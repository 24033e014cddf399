"""A whole batch of remapped students in one pass over the teacher: students as masks.

A student remapped by `first` computes what its teacher would, if after each convolution of a block
the channels beyond the student's width were zero: padding and cutting in the shortcut are then the
same mask. So the teacher's weights run once on the batch, and a block sees the students that are
deep enough. Equal to building, remapping and running each student, up to rounding.

Letters: N students, S stages, D blocks, B images, C channels, H and W the map's size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from dass_ray.models.resnet import Block, ResNet, shortcut
from dass_ray.space import Specs


@torch.no_grad()
def student_maps(teacher: ResNet, specs: Specs, images: Tensor) -> Tensor:
    """Last activation maps [N, B, C, H, W] of remapped students [N, S, D] for images [B, 3, ., .].

    The teacher must be in eval mode: batch statistics of a masked batch mean nothing.
    """
    assert not teacher.training
    widths = torch.as_tensor(specs, dtype=torch.long, device=images.device)
    n, b = len(specs), len(images)
    widths = widths.repeat_interleave(b, dim=0)
    depths = (widths > 0).sum(dim=2)
    x = F.relu(teacher.bn(teacher.stem(images))).repeat(n, 1, 1, 1)
    x = x * _mask(widths[:, 0, 0], x)
    for s, stage in enumerate(teacher.stages):
        assert isinstance(stage, nn.ModuleList)
        for j, block in enumerate(stage):
            assert isinstance(block, Block)
            if j == 0:
                x = _block(block, x, widths[:, s, 0])
                continue
            deep = torch.nonzero(depths[:, s] > j)[:, 0]
            if len(deep) == 0:
                break
            x = x.index_copy(0, deep, _block(block, x[deep], widths[deep, s, j]))
    return x.reshape(n, b, *x.shape[1:])


def _block(block: Block, x: Tensor, width: Tensor) -> Tensor:
    """One teacher block on [N*B, C, H, W], each row cut to its own width [N*B]."""
    out = F.relu(block.bn1(block.conv1(x)))
    mask = _mask(width, out)
    out = block.bn2(block.conv2(out * mask))
    return F.relu(out + shortcut(x, out.shape[1], block.stride)) * mask


def _mask(width: Tensor, like: Tensor) -> Tensor:
    """[N*B, C, 1, 1]: one for the first `width` channels of each row, zero beyond."""
    channels = torch.arange(like.shape[1], device=like.device)
    return (channels < width[:, None]).to(like.dtype)[:, :, None, None]
