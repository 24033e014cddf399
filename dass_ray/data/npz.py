"""NumPy archives: arrays of images and labels."""

import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from dass_ray.data.labels import to_classes
from dass_ray.data.resize import resize
from dass_ray.data.source import NATURAL_MAX, Decoder, Labels, Pixels, Source, Unreadable
from dass_ray.data.splits import split_named
from dass_ray.errors import UserError

Array = npt.NDArray[Any]

_CHANNELS = (1, 3, 4)
_CHUNK = 1024  # images converted at a time


@dataclass(frozen=True)
class ArraySplit:
    """A split of images in an array (a RawSplit). images: uint8 or float in 0..1, [N,H,W,C]."""

    labels: Labels
    images: Array

    def side(self) -> int | None:
        """See RawSplit."""
        height, width = self.images.shape[1:3]
        return height if height == width <= NATURAL_MAX else None

    def pixels_into(
        self, out: Pixels, on_image: Callable[[], None], decoder: Decoder
    ) -> list[Unreadable]:
        """See RawSplit; an array has no unreadable images."""
        height, width = self.images.shape[1:3]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = self.images[:, top : top + side, left : left + side]
        for start in range(0, len(out), _CHUNK):
            rgb = _to_rgb(square[start : start + _CHUNK])
            chunk = torch.from_numpy(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)))
            out[start : start + _CHUNK] = resize(chunk, out.shape[-1]).numpy()
            for _ in range(len(chunk)):
                on_image()
        return []


def read_npz(source: Path) -> Source:
    """The arrays `x_<split>` and `y_<split>`, or `<split>_images` and `<split>_labels`, or
    `images` and `labels` (which are train). Other arrays are ignored.

    Images: uint8 or float in 0..1, [N,H,W], [N,H,W,C] or [N,C,H,W] with 1, 3 or 4 channels (the
    4th is alpha, composited on black). Labels: integers or strings, [N] or [N,1]. Raises UserError
    for anything else.
    """
    pairs = _pairs(source, _load(source))
    raw = {split: _labels(source, labels, images) for split, (images, labels) in pairs.items()}
    classes, labels = to_classes(raw)
    return Source(
        description=f"npz {source}",
        classes=classes,
        splits={
            split: ArraySplit(labels[split], _images(source, images))
            for split, (images, _) in pairs.items()
        },
    )


def _load(source: Path) -> dict[str, Array]:
    if not zipfile.is_zipfile(source):
        raise UserError(f"{source} is no npz archive; save one with numpy.savez")
    try:
        with np.load(source, allow_pickle=False) as archive:
            found = {name: archive[name] for name in archive.files}
    except (ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        if "Object arrays" in str(error):
            advice = "it holds Python objects, which can run code; save arrays of numbers"
            raise UserError(f"{source} is not read: {advice}") from None
        raise UserError(f"{source} is damaged ({error}); save or fetch it again") from None
    return {name: array for name, array in found.items() if isinstance(array, np.ndarray)}


def _pairs(source: Path, arrays: dict[str, Array]) -> dict[str, tuple[Array, Array]]:
    """The images and labels of each split."""
    pairs: dict[str, tuple[Array, Array]] = {}
    for name, images in arrays.items():
        found = _split_and_labels(name)
        if found is None:
            continue
        split, labels = found
        if labels not in arrays:
            raise UserError(f"{source} has {name!r} without {labels!r}; add the labels")
        if split in pairs:
            raise UserError(f"{source} has two arrays of {split} images; keep one")
        pairs[split] = images, arrays[labels]
    if "train" not in pairs:
        raise UserError(
            f"{source} has no train images: expected 'x_train' and 'y_train', 'train_images' and "
            f"'train_labels', or 'images' and 'labels', found {', '.join(map(repr, arrays))}"
        )
    return pairs


def _split_and_labels(name: str) -> tuple[str, str] | None:
    """The split of an array of images and the name of its labels; None for other arrays."""
    if name == "images":
        return "train", "labels"
    if name.startswith("x_") and (split := split_named(name[2:])):
        return split, "y_" + name[2:]
    if name.endswith("_images") and (split := split_named(name.removesuffix("_images"))):
        return split, name.removesuffix("_images") + "_labels"
    return None


def _labels(source: Path, labels: Array, images: Array) -> Array:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.dtype.kind not in "iuU" or labels.shape != images.shape[:1]:
        raise UserError(
            f"{source} has labels {labels.dtype} {list(labels.shape)} for images "
            f"{list(images.shape)}; expected one integer or string an image"
        )
    return labels


def _images(source: Path, images: Array) -> Array:
    """Images as [N,H,W,C], checked; no copy."""
    if images.ndim == 3:
        images = images[..., None]
    elif images.ndim == 4 and images.shape[3] not in _CHANNELS and images.shape[1] in _CHANNELS:
        images = images.transpose(0, 2, 3, 1)
    if images.ndim != 4 or images.shape[3] not in _CHANNELS or 0 in images.shape:
        raise UserError(
            f"{source} has images of shape {list(images.shape)}; expected [N,H,W], [N,H,W,C] "
            "or [N,C,H,W] with 1, 3 or 4 channels"
        )
    if images.dtype.kind == "f":
        low, high = images.min(), images.max()
        if not (low >= 0 and high <= 1):  # written so that NaN fails
            raise UserError(f"{source} has float images in {low}..{high}; scale them to 0..1")
    elif images.dtype != np.uint8:
        raise UserError(f"{source} has {images.dtype} images; save uint8 or floats in 0..1")
    return images


def _to_rgb(images: Array) -> npt.NDArray[np.uint8]:
    """[n,H,W,C] of uint8 or 0..1 floats as uint8 [n,H,W,3]; alpha composited on black."""
    if images.shape[3] == 1:
        images = np.repeat(images, 3, axis=3)
    if images.dtype == np.uint8 and images.shape[3] == 3:
        return images
    white = 255 if images.dtype == np.uint8 else 1
    unit = images.astype(np.float64) / white
    if images.shape[3] == 4:
        unit = unit[..., :3] * unit[..., 3:]
    return np.rint(unit * 255).astype(np.uint8)
