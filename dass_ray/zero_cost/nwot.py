"""How differently the ReLUs split the images: log determinant of the activation codes' kernel.

Source: Mellor et al., "Neural Architecture Search without Training", ICML 2021. A code is the sign
of each map after a batch norm, which is what a ReLU sees without the shortcut. The identity is
added to the kernel, so that two images of one code still have a finite score.
"""

import torch
from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.activations import after_batch_norms


def of_kernel(kernel: Tensor, length: Tensor) -> Tensor:
    """Scores [...] from products of codes [..., B, B] of +-1, and the codes' length [...]."""
    alike = (length[..., None, None] + kernel).double() / 2  # units in which two codes agree
    logs: Tensor = torch.linalg.slogdet(alike + torch.eye(alike.shape[-1]).to(alike)).logabsdet
    return logs


@torch.no_grad()
def score(net: StagedNetwork, images: Tensor, _labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W]."""
    _, maps = after_batch_norms(net.eval(), images)
    codes = torch.cat([torch.where(m > 0, 1.0, -1.0).flatten(1) for m in maps], dim=1)
    return float(of_kernel(codes @ codes.T, torch.tensor(codes.shape[1])))
