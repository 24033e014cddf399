"""Small inputs for the tests of data sets."""

import io
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from dass_ray.data.dataset import Split
from dass_ray.data.decode import EncodedSplit
from dass_ray.data.source import EncodedImage, in_order
from dass_ray.data.threads import in_threads


def split(count=6, size=4, classes=3, seed=0):
    """Random images, labels 0, 1, 2, 0, ..."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, 3, size, size), dtype=np.uint8)
    return Split(torch.from_numpy(images), torch.arange(count) % classes)


def splits(size=4, seed=0):
    """Three splits of different length and content."""
    return {
        "train": split(9, size, seed=seed),
        "validation": split(6, size, seed=seed + 1),
        "test": split(3, size, seed=seed + 2),
    }


def encoded_split(data, piece=1000):
    """Image files 0, 1, ... of these bytes, each of a class of its own."""

    def images(rows):
        return (EncodedImage(str(row), partial(bytes, data[row])) for row in rows)

    every = range(len(data))
    rows = [every[first : first + piece] for first in every[::piece]]
    return EncodedSplit(np.arange(len(data)), in_order((len(r), partial(images, r)) for r in rows))


def pixels(raw, size, on_image=lambda: None):
    """All images of a RawSplit, and the unreadable ones."""
    out = np.zeros((len(raw.labels), 3, size, size), dtype=np.uint8)
    return out, raw.pixels_into(out, on_image, in_threads)


def noise(side=8, seed=0):
    """An image that no other seed gives."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    return Image.fromarray(pixels)


def encoded(image, kind="PNG", **options):
    """The bytes of an image file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def write_folder(root: Path, counts, side=8):
    """`counts[class]` images in a directory for each class; returns the root."""
    for label, (name, count) in enumerate(sorted(counts.items())):
        (root / name).mkdir(parents=True)
        for index in range(count):
            seed = 1000 * label + index
            (root / name / f"{index:03d}.png").write_bytes(encoded(noise(side, seed)))
    return root


def write_parquet(path: Path, labels, /, *, side=8, seed=0, metadata=None, **columns):
    """Images as struct<bytes, path> and labels; `columns` replaces or, with None, drops some."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [
        {"bytes": encoded(noise(side, seed + row)), "path": f"{row}.png"}
        for row in range(len(labels))
    ]
    table = {"image": images, "label": labels} | columns
    table = pa.table({name: column for name, column in table.items() if column is not None})
    pq.write_table(table.replace_schema_metadata(metadata), path)
    return path
