"""How different the network's local linear maps of different images are.

Source: Mellor et al., "Neural Architecture Search without Training", first version (2020), as
`jacob_cov` in Abdelfattah et al., ICLR 2021: minus the sum of log(v + k) + 1 / (v + k) over
eigenvalues v of the correlation matrix of the images' Jacobians, k = 1e-5.
"""

import torch
from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import private

K = 1e-5


def jacobians(net: StagedNetwork, images: Tensor) -> Tensor:
    """[B, 3 H W]: the gradient of each image's summed logits for its pixels."""
    pixels = images.detach().clone().requires_grad_()
    (slopes,) = torch.autograd.grad(private(net)(pixels).sum(), pixels)
    return slopes.flatten(1)


def correlation(rows: Tensor) -> Tensor:
    """[B, B]: of the rows of [B, F].

    A constant row, as where no unit is active, is told from no other one: its correlation, which
    is undefined, counts as 1.
    """
    return torch.corrcoef(rows).nan_to_num(nan=1.0)


def score(net: StagedNetwork, images: Tensor, _labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W]."""
    found = correlation(jacobians(net, images).double())
    values = torch.linalg.eigvalsh(found).clamp_min(0)
    return -float((torch.log(values + K) + 1 / (values + K)).sum())
