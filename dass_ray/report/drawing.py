"""A network as a drawing: its blocks as bars from the input down, as wide as their channels.

A student is drawn over its teacher's outline, so what was cut away can be seen. Lengths are units
of the SVG's view box.
"""

from dataclasses import dataclass

from dass_ray.families.codes import numbers
from dass_ray.space import Space, Spec, block_text

WIDTH = 200
_BAR, _GAP, _CAPTION = 12, 3, 24  # heights
_FULL = 160  # width of the bar with the most channels


@dataclass(frozen=True)
class Bar:
    """A block of the teacher; width is 0 and text is empty where the student lacks it."""

    x: float
    y: float
    width: float
    text: str
    outline_x: float
    outline: float  # width of the teacher's block
    height: float = _BAR


@dataclass(frozen=True)
class Drawing:
    """Bars, and captions of the stages as (y, text)."""

    bars: tuple[Bar, ...]
    captions: tuple[tuple[float, str], ...]
    height: float
    width: float = WIDTH


def draw(space: Space, spec: Spec) -> Drawing:
    """The drawing of a student of the space, or of the teacher itself."""
    bars, captions, y = [], [], 0.0
    scale, side = _FULL / max(space.widths), space.image_size
    for stage, full, stride in zip(spec.stages, space.widths, space.strides, strict=True):
        side //= stride
        y += _CAPTION
        captions.append((y - 7, f"{side}×{side} px · {len(stage)} of {space.max_depth} blocks"))
        for block in (*stage, *[None] * (space.max_depth - len(stage))):
            width, outline = (numbers(block)[0] if block else 0) * scale, full * scale
            text = block_text(block) if block else ""
            bars.append(Bar((_FULL - width) / 2, y, width, text, (_FULL - outline) / 2, outline))
            y += _BAR + _GAP
    return Drawing(tuple(bars), tuple(captions), y)
