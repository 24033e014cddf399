"""Networks from elsewhere, as data: how one is built, and what it takes. No torch."""

import re
from typing import Any

from pydantic import Field, field_validator

from dass_ray.frozen import Frozen, content_hash

SOURCE = r"^(transformers|timm|torchvision):[A-Za-z0-9_.-]+$|^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*$"
Channels = tuple[float, float, float]


class Network(Frozen):
    """A torch module by name. The same fields are a setting (`network.source=...`) and card."""

    source: str
    """`transformers:<model type>`, `timm:<name>`, `torchvision:<name>`, or an import path
    `package.module:callable`, which is called with the arguments alone."""
    arguments: dict[str, Any] = Field(default={})
    """Keywords of the configuration, the model or the callable; anything that JSON can hold."""
    image_size: int | None = Field(default=None, ge=8, le=1024)
    """Side of the images that it takes, px; None: as the data set is stored."""
    mean: Channels | None = None
    """Of its normalisation, for channels scaled to [0, 1]; None: the data set's own."""
    std: Channels | None = None
    """The same of the standard deviation."""

    outputs: tuple[int, ...] | None = None
    """Which of its outputs are the data set's classes, in their order; None: all, in this order."""

    @field_validator("source")
    @classmethod
    def _is_a_name(cls, source: str) -> str:
        if not re.fullmatch(SOURCE, source):
            raise ValueError(
                "name it as in transformers:resnet, timm:resnet18, torchvision:resnet18 or mine:Net"
            )
        return source

    def __hash__(self) -> int:
        return hash(content_hash(self))
