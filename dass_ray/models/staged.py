"""What distillation sees of a teacher or student, of whatever family.

Letters: B images, C channels, H and W a map's size, K classes.
"""

from typing import NamedTuple, Protocol, Self

from torch import Tensor


class Outputs(NamedTuple):
    """What a network makes of images.

    logits: [B, K]; stages: the map [B, C, H, W] at the end of each stage, one at least, the last of
    which the head sees. C, H and W differ from stage to stage, and may from network to network.
    """

    logits: Tensor
    stages: tuple[Tensor, ...]


class Staged(Protocol):
    """A network that also gives its stages' ends."""

    def outputs(self, x: Tensor) -> Outputs:
        """Logits and stages' ends of normalised images [B, 3, H, W], in one forward pass."""
        ...

    def eval(self) -> Self:
        """The network in evaluation mode, as a module's `eval`."""
        ...
