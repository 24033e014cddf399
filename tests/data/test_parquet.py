import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dass_ray.data import columns
from dass_ray.data.parquet import read_parquet
from dass_ray.errors import UserError

from .make import encoded, noise, pixels, write_parquet

LABELS = [0, 1, 2, 0, 1, 2]


def class_label(names, column="label"):
    features = {column: {"_type": "ClassLabel", "names": names}}
    return {"huggingface": json.dumps({"info": {"features": features}})}


def assert_images(source, split="train", seed=0):
    images, unreadable = pixels(source.splits[split], 8)
    assert not unreadable
    for row, image in enumerate(images):
        assert (image.transpose(1, 2, 0) == np.asarray(noise(8, seed + row))).all()


def test_one_file_with_class_names(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", LABELS, metadata=class_label(["b", "c", "a"]))
    source = read_parquet(path)
    assert source.classes == ("b", "c", "a")
    assert source.splits["train"].labels.tolist() == LABELS
    assert [image.name for image in source.splits["train"].images()][:2] == ["0.png", "1.png"]
    assert source.splits["train"].side() == 8
    assert_images(source)


@pytest.mark.parametrize(
    ("kind", "labels", "classes"),
    [
        (pa.int8(), LABELS, ("0", "1", "2")),
        (pa.uint64(), LABELS, ("0", "1", "2")),
        (pa.string(), [*"xyzxyz"], ("x", "y", "z")),
        (pa.large_string(), [*"xyzxyz"], ("x", "y", "z")),
        (pa.dictionary(pa.int8(), pa.string()), [*"xyzxyz"], ("x", "y", "z")),
    ],
    ids=str,
)
@pytest.mark.parametrize("column", ["label", "labels", "fine_label"])
def test_kinds_of_labels(tmp_path, kind, labels, classes, column):
    array = pa.array(labels, kind)
    path = write_parquet(tmp_path / "x.parquet", labels, **{"label": None, column: array})
    source = read_parquet(path)
    assert source.classes == classes
    assert source.splits["train"].labels.tolist() == LABELS


def test_coarse_labels_beside_are_ignored(tmp_path):
    columns = {"label": None, "coarse_label": [0] * 6, "fine_label": LABELS}
    path = write_parquet(tmp_path / "x.parquet", LABELS, **columns)
    assert read_parquet(path).classes == ("0", "1", "2")


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()], ids=str)
@pytest.mark.parametrize("column", ["image", "img", "picture"])
def test_kinds_of_images(tmp_path, kind, column):
    images = pa.array([encoded(noise(8, row)) for row in range(6)], kind)
    path = write_parquet(tmp_path / "x.parquet", LABELS, **{"image": None, column: images})
    source = read_parquet(path)
    assert_images(source)
    assert next(source.splits["train"].images()).name == "x.parquet row 0"


def test_a_column_called_image_goes_before_others(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", LABELS, mask=[b"x"] * 6)
    assert_images(read_parquet(path))


def test_rows_without_an_image_are_unreadable(tmp_path):
    images = [{"bytes": None, "path": "a.png"}, None]
    images += [{"bytes": encoded(noise()), "path": None}] * 4
    path = write_parquet(tmp_path / "x.parquet", LABELS, image=images)
    _, unreadable = pixels(read_parquet(path).splits["train"], 8)
    assert [(u.row, u.name) for u in unreadable] == [(0, "a.png"), (1, "x.parquet row 1")]


@pytest.mark.parametrize(
    "names",
    [
        ("train.parquet", "validation.parquet", "test.parquet"),
        ("train-00000-of-00001.parquet", "val-00000-of-00001.parquet", "test_0.parquet"),
        ("data/train-00000.parquet", "data/valid-00000.parquet", "data/test-00000.parquet"),
        ("plain/train/0000.parquet", "plain/validation/0000.parquet", "plain/test/0000.parquet"),
    ],
)
def test_files_of_splits(tmp_path, names):
    for seed, name in zip((0, 100, 200), names, strict=True):
        write_parquet(tmp_path / name, LABELS, seed=seed)
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "test.parquet").write_bytes(b"")
    source = read_parquet(tmp_path)
    for seed, split in zip((0, 100, 200), ("train", "validation", "test"), strict=True):
        assert_images(source, split, seed)


def test_shards_are_read_in_order(tmp_path):
    for shard, first in ((0, 0), (1, 2), (2, 4)):
        name = f"data/train-{shard:05d}-of-00003.parquet"
        write_parquet(tmp_path / name, LABELS[first : first + 2], seed=first)
    source = read_parquet(tmp_path)
    assert source.splits["train"].labels.tolist() == LABELS
    assert_images(source)


def test_files_without_splits_in_their_names_are_train(tmp_path):
    for shard, first in ((0, 0), (1, 3)):
        write_parquet(tmp_path / f"{shard:04d}.parquet", LABELS[first : first + 3], seed=first)
    source = read_parquet(tmp_path)
    assert list(source.splits) == ["train"]
    assert_images(source)


def test_images_are_read_a_few_rows_at_a_time(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", [0, 1] * 100, side=2)
    assert len(list(read_parquet(path).splits["train"].images())) == 200


def test_row_groups_make_pieces(tmp_path, monkeypatch):
    """As many of them together as make a piece worth its while."""
    monkeypatch.setattr(columns, "PIECE", 250)
    for name, count, rows in (("a", 700, 100), ("b", 300, 300)):
        path = write_parquet(tmp_path / f"{name}.parquet", [0, 1] * (count // 2), side=2)
        pq.write_table(pq.read_table(path), path, row_group_size=rows)
    split = read_parquet(tmp_path).splits["train"]
    pieces = [(piece.first, piece.count) for piece in split.pieces]
    assert pieces == [(0, 300), (300, 300), (600, 100), (700, 300)]
    names = [f"{row}.png" for row in (*range(700), *range(300))]
    assert [image.name for image in split.images()] == names
    assert [row for piece in split.pieces for row, _ in piece.numbered()] == list(range(1000))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"label": None}, "has no label column: expected 'label' or 'labels' or 'fine_label' of int"
                          ".*found 'image' of struct"),
        ({"label": None, "target": LABELS}, "no label column.*'target' of int64"),
        ({"label": [0.5] * 6}, "no label column.*'label' of double"),
        ({"label": [0, 1, None, 0, None, 2]}, "has 2 rows without a 'label'; label or drop them"),
        ({"label": [0, 1, -1, 0, 1, 2]}, "label -1 is negative"),
        ({"label": [1] * 6}, "one class, '1'"),
        ({"image": None}, "has no image column: expected 'image' or 'img' of struct<bytes, path> "
                          "or binary, found 'label' of int64"),
        ({"image": ["a.png"] * 6}, "no image column.*'image' of string"),
        ({"image": None, "a": [b""] * 6, "b": [b""] * 6}, "no image column.*'a' of binary, 'b' of"),
    ],
)  # fmt: skip
def test_wrong_columns(tmp_path, columns, message):
    path = write_parquet(tmp_path / "x.parquet", LABELS, **columns)
    with pytest.raises(UserError, match=message):
        read_parquet(path)


def test_a_label_without_a_name(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", LABELS, metadata=class_label(["a", "b"]))
    with pytest.raises(UserError, match="label 2 has no name: there are 2 class names"):
        read_parquet(path)


@pytest.mark.parametrize(
    "metadata",
    [{}, {"huggingface": "{"}, {"huggingface": "[]"}, {"huggingface": '{"info": null}'},
     {"huggingface": '{"info": {"features": {"label": {"dtype": "int64"}}}}'},
     {"huggingface": '{"info": {"features": {"label": {"names": null}}}}'}],
)  # fmt: skip
def test_other_metadata_names_no_classes(tmp_path, metadata):
    path = write_parquet(tmp_path / "x.parquet", LABELS, metadata=metadata)
    assert read_parquet(path).classes == ("0", "1", "2")


def test_files_that_disagree(tmp_path):
    write_parquet(tmp_path / "train.parquet", LABELS, metadata=class_label(["a", "b", "c"]))
    write_parquet(tmp_path / "test.parquet", LABELS, metadata=class_label(["a", "c", "b"]))
    with pytest.raises(UserError, match="name different classes"):
        read_parquet(tmp_path)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"train.parquet": LABELS, "test.parquet": [0, 1]}, "test has no image of '2'"),
        ({"train.parquet": LABELS, "test.parquet": []}, "test has no images"),
        ({"train.parquet": LABELS, "test.parquet": [*"abc"]}, "numbers in one split and names"),
        ({"test.parquet": LABELS}, "there is no train file; name the files train"),
        ({"train.parquet": LABELS, "more.parquet": LABELS}, "more.parquet has no split; name"),
    ],
)
def test_wrong_splits(tmp_path, files, message):
    for name, labels in files.items():
        kind = pa.string() if "a" in labels else pa.int64()
        write_parquet(tmp_path / name, labels, label=pa.array(labels, kind))
        if not labels:
            table = pq.read_table(tmp_path / "train.parquet").slice(0, 0)
            pq.write_table(table, tmp_path / name)
    with pytest.raises(UserError, match=message):
        read_parquet(tmp_path)


@pytest.mark.parametrize("data", [b"", b"nonsense", "cut"])
def test_files_that_are_no_parquet(tmp_path, data):
    path = write_parquet(tmp_path / "x.parquet", LABELS)
    path.write_bytes(path.read_bytes()[:-30] if data == "cut" else data)
    with pytest.raises(UserError, match=r"cannot read .*x\.parquet as Parquet .*fetch it again"):
        read_parquet(path)


def test_damage_in_the_middle_of_a_file(tmp_path):
    path = write_parquet(tmp_path / "x.parquet", LABELS)
    source = read_parquet(path)
    data = bytearray(path.read_bytes())
    data[4:400] = b"\xff" * 396
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match="as Parquet"):
        pixels(source.splits["train"], 8)
