"""Shortcuts without weights.

Letters: B images, C channels, H and W a map's size.
Source: He et al., CVPR 2016, option A.
"""

import torch.nn.functional as F
from torch import Tensor


def shortcut(x: Tensor, width: int, stride: int) -> Tensor:
    """[B, C, H, W] -> [B, width, H/stride, W/stride]: max-pooled, zero-padded or cut."""
    x = F.max_pool2d(x, stride) if stride > 1 else x
    missing = width - x.shape[1]
    return F.pad(x, (0, 0, 0, 0, 0, missing)) if missing > 0 else x[:, :width]
