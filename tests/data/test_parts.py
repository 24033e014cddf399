import io
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.data.parts import PART_BYTES, Damaged, decode, encode, ranges

from ..make import few
from .make import split


def test_round_trip():
    some = split(7, size=5)
    images, labels = decode(encode(some.images, some.labels), "p", 5)
    assert torch.equal(images, some.images)
    assert torch.equal(labels, some.labels)
    assert images.is_contiguous()
    assert (images.dtype, labels.dtype) == (torch.uint8, torch.int64)


def test_other_programs_can_read_a_part():
    some = split(3, size=5)
    file = pq.ParquetFile(io.BytesIO(encode(some.images, some.labels)))
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    table = file.read()
    assert table["label"].type == pa.int32()
    raw = np.frombuffer(table["image"][1].as_py(), dtype=np.uint8).reshape(5, 5, 3)
    assert (raw == some.images[1].permute(1, 2, 0).numpy()).all()


@few
@given(st.integers(1, 200_000), st.integers(1, 1024))
def test_ranges_cover_all_rows_once(count, size):
    cut = list(ranges(count, size))
    assert cut[0][0] == 0
    assert cut[-1][1] == count
    assert all(end == first for (_, end), (first, _) in pairwise(cut))
    assert all((end - first) * (3 * size * size + 4) <= PART_BYTES for first, end in cut)


def test_a_part_of_noise_is_no_larger_than_promised():
    _, end = next(ranges(10**6, 64))
    images = torch.randint(0, 256, (end, 3, 64, 64), dtype=torch.uint8)
    size = len(encode(images, torch.zeros(end, dtype=torch.int64)))
    assert 0.9 * PART_BYTES < size <= PART_BYTES


def as_parquet(table):
    buffer = io.BytesIO()
    pq.write_table(table, buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PAR1",
        encode(split(2, size=4).images, split(2).labels)[:-20],
        encode(split(2, size=6).images, split(2).labels),
        as_parquet(pa.table({"image": [b"x"], "label": [0]})),
        as_parquet(pa.table({"other": [1]})),
    ],
)
def test_anything_else_is_damaged(data):
    with pytest.raises(Damaged, match=r"^here/p"):
        decode(data, "here/p", 4)
