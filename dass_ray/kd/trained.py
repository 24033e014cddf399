"""What a training gave."""

from dataclasses import dataclass, field
from typing import Literal


@dataclass
class Trained:
    """Validation accuracy in [0, 1] after every epoch, and the time in the training loop."""

    status: Literal["ok", "diverged"] = "ok"
    """`diverged`: the loss stopped being finite, after the last epoch of the curve."""
    curve: list[float] = field(default_factory=list)
    seconds: float = 0.0
