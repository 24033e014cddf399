"""Layers of students with equal widths, run as one dense batch with the teacher's kernels cut.

Letters: n nodes (students, or prefixes of them), B images, G groups of images that share batch
statistics, C channels, H and W a map's size.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True)
class Moments:
    """Mean and biased variance [n, G, C] of each group of images, of `count` numbers each."""

    mean: Tensor
    variance: Tensor
    count: int

    @classmethod
    def of(cls, maps: Tensor, group: int) -> "Moments":
        """Of maps [n, B, C, H, W], `group` images at a time.

        By products with ones, which one core does ten times as fast as `torch.var_mean`.
        """
        n, b, c, h, w = maps.shape
        flat = maps.view(-1, h * w)
        sums = torch.stack([flat @ flat.new_ones(h * w), torch.linalg.vecdot(flat, flat)])
        count = group * h * w
        mean, square = sums.view(2, n, b // group, group, c).sum(dim=3) / count
        return cls(mean, (square - mean.square()).clamp_min(0), count)


OnNorm = Callable[[Moments | None, Tensor], None]
"""(moments of a batch norm's input if it took them, its output [n, B, C, H, W])."""


@dataclass(frozen=True)
class Stacked:
    """How stacked nodes are run.

    group: batch norms take the statistics of so many images at a time; None: the teacher's own.
    dtype: of the convolutions; all else is float32.
    """

    group: int | None
    dtype: torch.dtype = torch.float32

    def conv(self, conv: nn.Conv2d, maps: Tensor, width: int) -> Tensor:
        """A convolution cut to what comes in: [n, B, C, H, W] -> [n, B, width, ., .].

        Of one group, or of as many as it has channels: then `width` is C.
        """
        n, b, c = maps.shape[:3]
        kernel, groups = conv.weight[:width, :c].to(self.dtype), 1 if conv.groups == 1 else c
        flat = maps.flatten(0, 1).to(self.dtype)
        out = F.conv2d(flat, kernel, None, conv.stride, conv.padding, groups=groups)
        return out.to(maps.dtype).view(n, b, *out.shape[1:])

    def norm(self, norm: nn.BatchNorm2d, maps: Tensor, told: OnNorm) -> Tensor:
        """A batch norm cut to maps [n, B, C, H, W], in place; it is told what it made."""
        b, c, h, w = maps.shape[1:]
        weight, bias = norm.weight[:c], norm.bias[:c]
        if self.group is None:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            moments, mean, variance = None, norm.running_mean[:c], norm.running_var[:c]
        else:
            moments = Moments.of(maps, self.group)
            mean, variance = moments.mean, moments.variance
        scale = weight * (variance + norm.eps).rsqrt()
        shift = bias - mean * scale
        grouped = maps.view(-1, self.group or b, c, h * w)
        grouped.mul_(scale.view(-1, 1, c, 1)).add_(shift.view(-1, 1, c, 1))
        told(moments, maps)
        return maps


def pooled(maps: Tensor, stride: int) -> Tensor:
    """Max-pooled maps [..., H, W], as the shortcut has them.

    Pairs of rows, then of columns: on one core 17 times as fast as `max_pool2d` (1.6 ms against
    0.09 ms for 192 images of 6 x 16 x 16; AMD EPYC, torch 2.13).
    """
    if stride != 2:
        return maps if stride == 1 else _any_stride(maps, stride)
    maps = torch.maximum(maps[..., 0::2, :], maps[..., 1::2, :])
    return torch.maximum(maps[..., 0::2], maps[..., 1::2])


def _any_stride(maps: Tensor, stride: int) -> Tensor:
    pooled = F.max_pool2d(maps.flatten(0, 1), stride)
    return pooled.view(*maps.shape[:3], *pooled.shape[2:])
