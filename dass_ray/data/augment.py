"""Augmentation and normalisation of whole batches on their device."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True)
class Draws:
    """Random crops and flips of B images. corner: int64 [2,B]; mirrored: bool [B]."""

    corner: Tensor
    mirrored: Tensor
    padding: int

    def __getitem__(self, chosen: Tensor) -> "Draws":
        """The draws of some of the images; chosen: int64 indices."""
        return Draws(self.corner[:, chosen], self.mirrored[chosen], self.padding)

    def scaled(self, side: int, of: int) -> "Draws":
        """The same views of images of `side` px, where these draws are of images of `of` px."""
        padding = -(-self.padding * side // of)
        shift = (2 * side * (self.corner - self.padding) + of) // (2 * of)  # to the nearest px
        return Draws(shift + padding, self.mirrored, padding)

    def to(self, device: torch.device) -> "Draws":
        """The same draws on a device."""
        return Draws(self.corner.to(device), self.mirrored.to(device), self.padding)


def draw(n: int, padding: int, flip: bool, generator: torch.Generator) -> Draws:
    """Draws for n images: corners in 0..2*padding px, and mirroring with probability 1/2.

    A CPU generator gives the same views on every machine.
    """
    corner = torch.randint(2 * padding + 1, (2, n), generator=generator)
    coin = torch.randint(2, (n,), generator=generator)
    return Draws(corner, coin.bool() & flip, padding)


def crop(images: Tensor, draws: Draws) -> Tensor:
    """Cuts each zero-padded image at its corner and mirrors it left to right where drawn.

    images: uint8 [B,3,H,W]; returns the same shape on the same device. One gather, no loop over
    images.
    """
    batch, channels, height, width = images.shape
    padding, device = draws.padding, images.device
    top, left = draws.corner.to(device)[..., None]
    rows = top + torch.arange(height, device=device)  # [B,H]
    columns = left + torch.arange(width, device=device)  # [B,W]
    mirrored = draws.mirrored.to(device)[:, None]
    columns = torch.where(mirrored, columns.flip(1), columns)
    pixels = rows[:, :, None] * (width + 2 * padding) + columns[:, None, :]  # [B,H,W], padded
    index = pixels.view(batch, 1, -1).expand(-1, channels, -1)
    padded = F.pad(images, (padding, padding, padding, padding))
    return padded.reshape(batch, channels, -1).gather(2, index).view(images.shape)


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """(images / 255 - mean) / std for each channel.

    images: uint8 [B,3,H,W]; mean, std: float32 [3], of channels scaled to [0,1]; returns float32
    [B,3,H,W].
    """
    scale = 1 / (255 * std)
    return images.to(torch.float32).mul_(scale[:, None, None]).sub_((mean / std)[:, None, None])
