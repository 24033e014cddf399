"""Random logits and maps, and what a loss must keep whatever its formula."""

import numpy as np
import torch


def normal(*shape, seed=0):
    """Standard normal numbers."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def softmax(logits):
    """Of the rows of a numpy array."""
    powers = np.exp(logits)
    return powers / powers.sum(axis=1, keepdims=True)


def huber(apart):
    """Of a numpy array of differences, mean."""
    size = np.abs(apart)
    return np.where(size < 1, size**2 / 2, size - 0.5).mean()
