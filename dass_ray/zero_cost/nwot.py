"""How differently the ReLUs split the images: log determinant of the activation codes' kernel.

Source: Mellor et al., "Neural Architecture Search without Training", ICML 2021. A code is the sign
of each map after a batch norm, which is what a ReLU sees without the shortcut. The identity is
added to the kernel, so that two images of one code still have a finite score.
"""

import torch
from torch import Tensor

from dass_ray.models.resnet import ResNet
from dass_ray.zero_cost.activations import after_batch_norms


@torch.no_grad()
def score(net: ResNet, images: Tensor, _labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W]."""
    _, maps = after_batch_norms(net.eval(), images)
    codes = torch.cat([torch.where(m > 0, 1.0, -1.0).flatten(1) for m in maps], dim=1)
    alike = (codes.shape[1] + codes @ codes.T).double() / 2  # units in which two codes agree
    return float(torch.linalg.slogdet(alike + torch.eye(len(codes)).to(alike)).logabsdet)
