"""What distillation sees of a network, of whatever family.

Letters: B images, C channels, H and W a map's size, K classes.
"""

from typing import NamedTuple, Protocol

from torch import Tensor


class Outputs(NamedTuple):
    """What a network makes of images.

    logits: [B, K]; stages: the map [B, C, H, W] at the end of each stage, the last one that which
    the head sees. C, H and W differ from stage to stage, and C from network to network.
    """

    logits: Tensor
    stages: tuple[Tensor, ...]


class Staged(Protocol):
    """A network that also gives its stages' ends."""

    def outputs(self, x: Tensor) -> Outputs:
        """Logits and stages' ends of normalised images [B, 3, H, W], in one forward pass."""
        ...
