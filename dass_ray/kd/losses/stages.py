"""Which maps of the student and of the teacher are compared."""

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor

Pair = tuple[Tensor, Tensor]


def pairs(ours: Sequence[Tensor], theirs: Sequence[Tensor]) -> list[Pair]:
    """The stages' ends [B, C, H, W] of both networks, paired from the last one back.

    So a network of fewer stages lacks early ones. Of two maps of different size, the larger one is
    averaged down to the smaller one's H and W; the channels stay as they are.
    """
    n = min(len(ours), len(theirs))
    return [_of_one_size(a, b) for a, b in zip(ours[-n:], theirs[-n:], strict=True)]


def middle(pairs: Sequence[Pair]) -> Pair:
    """The pair in the middle; the earlier one of two."""
    return pairs[(len(pairs) - 1) // 2]


def _of_one_size(a: Tensor, b: Tensor) -> Pair:
    if a.shape[2:] == b.shape[2:]:
        return a, b
    size = (min(a.shape[2], b.shape[2]), min(a.shape[3], b.shape[3]))
    return F.adaptive_avg_pool2d(a, size), F.adaptive_avg_pool2d(b, size)
