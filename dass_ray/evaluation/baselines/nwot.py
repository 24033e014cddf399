"""How differently the ReLUs split the images: log determinant of the activation codes' kernel.

Source: Mellor et al., "Neural Architecture Search without Training", ICML 2021. A code is the sign
of each map after a batch norm, which is what a ReLU sees without the shortcut.
"""

import torch
from torch import Tensor

from dass_ray.evaluation.baselines.activations import after_batch_norms
from dass_ray.models.resnet import ResNet


@torch.no_grad()
def score(net: ResNet, images: Tensor, _labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W]; -inf where two images have one code."""
    _, maps = after_batch_norms(net.eval(), images)
    codes = torch.cat([(m > 0).flatten(1) for m in maps], dim=1).double()
    kernel = codes @ codes.T + (1 - codes) @ (1 - codes).T  # units in which two codes agree
    return float(torch.linalg.slogdet(kernel).logabsdet)
