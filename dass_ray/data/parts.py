"""Parquet parts: rows of raw pixels and labels, one buffered object each."""

import io
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from dass_ray.store.base import NotFound, Store

PART_BYTES = 64 * 2**20
_OVERHEAD = 2**20  # left free for Parquet's own bytes, should the pixels not compress at all


class Damaged(Exception):
    """The store holds something else than what was written. No ValueError: those are for users."""


def ranges(count: int, size: int) -> Iterator[tuple[int, int]]:
    """The rows (first, end) of each part of `count` images of side `size` px."""
    rows = max(1, (PART_BYTES - _OVERHEAD) // (3 * size * size + 4))
    for first in range(0, count, rows):
        yield first, min(first + rows, count)


def encode(images: Tensor, labels: Tensor) -> bytes:
    """One Parquet file: `image` raw RGB bytes in H,W,C order, `label` int32; zstd.

    images: uint8 [N,3,H,W], labels: int64 [N]. The binary column has a fixed width, so both
    directions are one copy.
    """
    count, channels, height, width = images.shape
    pixels = images.permute(0, 2, 3, 1).contiguous().cpu().numpy()
    kind = pa.binary(channels * height * width)
    column = pa.Array.from_buffers(kind, count, [None, pa.py_buffer(pixels)])
    table = pa.table({"image": column, "label": labels.cpu().numpy().astype(np.int32)})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", use_dictionary=False, write_statistics=False)
    return sink.getvalue()


def decode(data: bytes, path: str, size: int) -> tuple[Tensor, Tensor]:
    """The images uint8 [N,3,size,size] and labels int64 [N] of one part.

    Raises Damaged, which names `path`, where `data` is no such part.
    """
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        raise Damaged(f"{path} is no Parquet file") from None
    expected = pa.schema({"image": pa.binary(3 * size * size), "label": pa.int32()})
    if not table.schema.equals(expected):
        raise Damaged(f"{path} does not hold images of {size} px and labels")
    column = table["image"].combine_chunks()
    raw = np.frombuffer(column.buffers()[1], dtype=np.uint8)
    pixels = raw.reshape(-1, size, size, 3)[column.offset : column.offset + len(column)]
    images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
    return images, torch.from_numpy(table["label"].to_numpy().astype(np.int64))


def empty(count: int, size: int) -> tuple[Tensor, Tensor]:
    """Room for the rows of parts: images uint8 [count,3,size,size], labels int64 [count]."""
    images = torch.empty((count, 3, size, size), dtype=torch.uint8)
    return images, torch.empty(count, dtype=torch.int64)


def read_into(store: Store, paths: Sequence[str], images: Tensor, labels: Tensor) -> None:
    """The rows of all parts in order, into tensors as of `empty`, a part at a time.

    Raises Damaged where they are not what was written.
    """
    count, size = len(images), images.shape[-1]
    end = 0
    for path in paths:
        try:
            data = store.get(path)
        except NotFound:
            raise Damaged(f"{path} is missing") from None
        some_images, some_labels = decode(data, path, size)
        first, end = end, end + len(some_images)
        if end > count:
            break
        images[first:end] = some_images
        labels[first:end] = some_labels
    if end != count:
        raise Damaged(f"the parts do not hold the card's {count} images")
