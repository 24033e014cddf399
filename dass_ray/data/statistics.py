"""Channel statistics of 8-bit images."""

import torch
from torch import Tensor

CHUNK = 2**24  # values at a time: they are counted as int64


def channel_statistics(images: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of uint8 [N,3,H,W] scaled to [0,1]: float32 [3].

    Counted in integers, so equal images give equal statistics on every device. A standard
    deviation below one grey level becomes one grey level: a constant channel must not divide by 0.
    """
    levels = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.zeros(3, 256, dtype=torch.int64)
    for some in images.split(max(1, CHUNK // images[0].numel())):
        counts += torch.stack([c.flatten().bincount(minlength=256) for c in some.unbind(1)]).cpu()
    share = counts.double() / counts.sum(1, keepdim=True)
    mean = share @ levels
    variance = (share * (levels - mean[:, None]) ** 2).sum(1)
    std = variance.sqrt().clamp_min(1 / 255)
    return mean.float().to(images.device), std.float().to(images.device)
