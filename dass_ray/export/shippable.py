"""Students as modules that normalise images themselves. Letters: B images, S side, K classes."""

import torch
from torch import Tensor, nn


class Shippable(nn.Module):
    """A student that takes images with values in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, mean: Tensor, std: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", mean[:, None, None])
        self.register_buffer("std", std[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        """Images [B, 3, S, S] in [0, 1] -> logits [B, K]."""
        out: Tensor = self.net((images - self.mean) / self.std)
        return out


class FromPixels(nn.Module):
    """A student that takes images as decoders and cameras give them."""

    def __init__(self, student: Shippable) -> None:
        super().__init__()
        self.student = student

    def forward(self, images: Tensor) -> Tensor:
        """RGB uint8 [B, S, S, 3] -> logits [B, K]."""
        out: Tensor = self.student(images.permute(0, 3, 1, 2).to(torch.float32) / 255)
        return out


def floats(images: Tensor) -> Tensor:
    """What Shippable takes: uint8 [B, 3, S, S] -> float32 [B, 3, S, S] in [0, 1]."""
    return images / 255


def pixels(images: Tensor) -> Tensor:
    """What FromPixels takes: uint8 [B, 3, S, S] -> uint8 [B, S, S, 3]."""
    return images.permute(0, 2, 3, 1).contiguous()
