"""What is to be exported, and how."""

from pydantic import Field

from dass_ray.export.card import UNKNOWN
from dass_ray.frozen import Frozen


class ExportConfig(Frozen):
    """Which student of a search, and in which forms."""

    spec: str | None = None  # None: the best verified one
    teacher: str | None = None  # only students of this one; None: of any of the search's
    latency_ms: float | None = Field(default=None, gt=0)  # the best one that takes no longer
    onnx: bool | None = None  # None: where the extra is installed
    pixels: bool = False  # ONNX files take uint8 [B, S, S, 3] as decoders give it
    threads: int = Field(default=1, ge=1)  # of the CPU, when forms are timed
    licence: str = UNKNOWN
    data_licence: str = UNKNOWN
