"""Encoded images (PNG, JPEG, ...) to pixels of one size."""

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps, UnidentifiedImageError

from dass_ray.data.source import (
    NATURAL_MAX,
    Decoder,
    EncodedImage,
    Labels,
    Piece,
    Pixels,
    Unreadable,
)


@dataclass(frozen=True)
class EncodedSplit:
    """A split of image files (a RawSplit)."""

    labels: Labels
    pieces: Sequence[Piece]

    def images(self) -> Iterator[EncodedImage]:
        """All of them, in order."""
        for piece in self.pieces:
            yield from piece.images()

    def side(self) -> int | None:
        """See RawSplit. Reads headers only, and no more than needed."""
        side = None
        for image in self.images():
            size = _header_size(image.read())
            if size is None:
                continue  # an unreadable image has no say
            if size[0] != size[1] or size[0] > NATURAL_MAX or side not in (None, size[0]):
                return None
            side = size[0]
        return side

    def pixels_into(
        self, out: Pixels, on_image: Callable[[], None], decoder: Decoder
    ) -> list[Unreadable]:
        """See RawSplit."""
        return decoder(self.pieces, out, on_image)


def decode(data: bytes, size: int) -> npt.NDArray[np.uint8]:
    """One image file as RGB [size,size,3].

    Turned as its EXIF orientation says, cropped to the central square, resized without aliasing.
    Of an animation, the first frame. Raises whatever Pillow raises for malformed files.
    """
    with Image.open(io.BytesIO(data)) as image:
        # A large JPEG is decoded at 1/2, 1/4 or 1/8 of its size, but no smaller than twice ours.
        image.draft(None, (2 * size, 2 * size))
        ImageOps.exif_transpose(image, in_place=True)
        rgb = to_rgb(image)
    side = min(rgb.size)
    left, top = (rgb.width - side) // 2, (rgb.height - side) // 2
    box = (left, top, left + side, top + side)
    return np.asarray(rgb.resize((size, size), Image.Resampling.BILINEAR, box=box))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode as 8-bit RGB.

    16-bit grey is scaled from 0..65535; float grey from 0..1, or taken as 0..255 where it exceeds
    1; transparency is composited on black.
    """
    if image.mode.startswith("I"):  # I;16 and its byte orders; I is how some 16-bit files open
        return _grey(np.asarray(image, dtype=np.float64), 65535)
    if image.mode == "F":
        values = np.asarray(image, dtype=np.float64)
        return _grey(values, 1 if values.max() <= 1 else 255)
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, rgba).convert("RGB")
    return image.convert("RGB")


def _grey(values: npt.NDArray[np.float64], white: int) -> Image.Image:
    if not (values.min() >= 0 and values.max() <= white):  # written so that NaN fails
        raise ValueError(f"grey values outside 0..{white}")
    return Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8)).convert("RGB")


def _header_size(data: bytes) -> tuple[int, int] | None:
    try:
        with Image.open(io.BytesIO(data)) as image:
            return image.size
    except Exception:  # as in decode_into, which will report it
        return None


def decode_into(out: npt.NDArray[np.uint8], row: int, image: EncodedImage) -> Unreadable | None:
    """An image into `out` [3,S,S], which stays as it is where the image cannot be decoded.

    Raises OSError where the image cannot be read at all.
    """
    data = image.read()
    try:
        out[:] = decode(data, out.shape[-1]).transpose(2, 0, 1)
    except MemoryError:
        raise
    except UnidentifiedImageError:  # its text is the address of a buffer
        return Unreadable(row, image.name, "no image format that is known")
    except Exception as error:  # Pillow's decoders raise whatever malformed bytes provoke
        return Unreadable(row, image.name, str(error) or type(error).__name__)
    return None
