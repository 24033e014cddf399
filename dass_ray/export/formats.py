"""The forms in which a student is written, each with the way to run it.

Letters: B images, S side, K classes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dass_ray.data.dataset import Split
from dass_ray.export.shippable import Shippable, floats
from dass_ray.kd.views import EVAL_BATCH


@dataclass(frozen=True)
class Format:
    """A form of a student.

    prepare: images uint8 [B, 3, S, S] -> what `run` takes; run: that -> logits [B, K].
    """

    name: str
    file: Path
    prepare: Callable[[Tensor], Any]
    run: Callable[[Any], Tensor]

    @torch.inference_mode()
    def logits(self, images: Tensor, batch: int = EVAL_BATCH) -> Tensor:
        """Images uint8 [N, 3, S, S], `batch` at a time -> logits [N, K]."""
        return torch.cat([self.run(self.prepare(part)) for part in images.split(batch)])

    def accuracy(self, split: Split) -> float:
        """Share of a split's images that are classified rightly."""
        return (self.logits(split.images).argmax(dim=1) == split.labels).double().mean().item()


def plain(student: Shippable, weights: bytes, folder: Path) -> Format:
    """The network itself, with its weights in `student.safetensors`."""
    file = folder / "student.safetensors"
    file.write_bytes(weights)
    return Format("PyTorch", file, floats, student)


def program(student: Shippable, side: int, folder: Path) -> Format:
    """A torch.export program of any batch size, read back from its file."""
    file = folder / "student.pt2"
    torch.export.save(exported(student, torch.rand(2, 3, side, side)), file)
    return Format("torch.export", file, floats, torch.export.load(file).module())


def exported(module: torch.nn.Module, example: Tensor) -> torch.export.ExportedProgram:
    """The program of a module whose only input, `images`, has any number of rows."""
    rows = {"images": {0: torch.export.Dim("batch", min=1)}}
    return torch.export.export(module, (example,), dynamic_shapes=rows)


def first(images: Tensor, n: int) -> Tensor:
    """The first n images [n, ...], from the start again where there are fewer."""
    return images[torch.arange(n) % len(images)]
