import sys

import datasets
import numpy as np
import pyarrow as pa
import pytest
from PIL import Image

from dass_ray.data import columns, saved
from dass_ray.data.importers import recognise
from dass_ray.errors import UserError

from .make import noise, pixels

NAMES = ["cat", "ant"]  # their order is that of the numbers


def made(count, seed=0, **columns):
    """A data set of the library, of `count` images; `columns` replaces labels."""
    kinds = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=NAMES))
    images = [noise(8, seed + row) for row in range(count)]
    content = {"image": images, "label": [row % 2 for row in range(count)]} | columns
    return datasets.Dataset.from_dict(content, features=kinds if not columns else None)


def first(source, split):
    images, unreadable = pixels(source.splits[split], 8)
    assert not unreadable
    return Image.fromarray(images[0].transpose(1, 2, 0))


def test_a_folder_of_several_splits(tmp_path):
    both = datasets.DatasetDict(train=made(70), valid=made(4, seed=100), more=made(2))
    both.save_to_disk(str(tmp_path / "d"), num_shards={"train": 2, "valid": 1, "more": 1})
    source = recognise(str(tmp_path / "d"))
    assert source.classes == ("cat", "ant")
    assert source.description == f"saved data set {tmp_path / 'd'} without its split 'more'"
    assert source.splits["train"].labels.tolist() == [0, 1] * 35
    assert np.array_equal(first(source, "train"), noise(8, 0))
    assert np.array_equal(first(source, "validation"), noise(8, 100))


def test_batches_of_a_stream_make_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "PIECE", 250)
    made(1000).save_to_disk(str(tmp_path / "d"))
    (file,) = (tmp_path / "d").glob("*.arrow")
    with pa.ipc.open_stream(file.read_bytes()) as stream:
        rows = stream.read_all()
    with pa.OSFile(str(file), "wb") as out, pa.ipc.new_stream(out, rows.schema) as stream:
        stream.write_table(rows, max_chunksize=100)
    split = recognise(str(tmp_path / "d")).splits["train"]
    assert [piece.first for piece in split.pieces] == [0, 300, 600, 900]
    images, unreadable = pixels(split, 8)
    assert not unreadable
    expected = np.stack([np.asarray(noise(8, row)).transpose(2, 0, 1) for row in range(1000)])
    assert (images == expected).all()


def test_one_data_set_is_all_train(tmp_path):
    made(4).save_to_disk(str(tmp_path / "d"))
    assert list(recognise(str(tmp_path / "d")).splits) == ["train"]


def test_pyarrow_alone_reads_a_folder(tmp_path, monkeypatch):
    made(4).save_to_disk(str(tmp_path / "d"))
    monkeypatch.setitem(sys.modules, "datasets", None)
    assert recognise(str(tmp_path / "d")).classes == ("cat", "ant")
    with pytest.raises(UserError, match=r"`pip install 'dass-ray\[hf\]'`"):
        recognise("hf:some/name")


def test_a_name_of_the_hub(tmp_path, monkeypatch):
    made(4).save_to_disk(str(tmp_path / "d"))
    asked = []

    def load_dataset(name, configuration):
        asked.append((name, configuration))
        return datasets.DatasetDict(train=datasets.load_from_disk(str(tmp_path / "d")))

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    assert recognise("hf:some/name@small").classes == ("cat", "ant")
    assert asked == [("some/name", "small")]


def test_a_hub_that_does_not_answer(monkeypatch):
    def load_dataset(*_names):
        raise ConnectionError("a long story\nof many lines")

    monkeypatch.setattr("datasets.load_dataset", load_dataset)
    with pytest.raises(UserError, match=r"cannot fetch 'a/b' from the hub \(ConnectionError\)"):
        saved.read_hub("a/b")


def no_train(folder):
    datasets.DatasetDict(test=made(4)).save_to_disk(str(folder))


def no_labels(folder):
    made(2, label=[0.5, 0.1]).save_to_disk(str(folder))


def cut(folder):
    made(4).save_to_disk(str(folder))
    (file,) = folder.glob("*.arrow")
    file.write_bytes(file.read_bytes()[:100])


def lost(folder):
    made(4).save_to_disk(str(folder))
    next(folder.glob("*.arrow")).unlink()


def odd(folder):
    folder.mkdir()
    (folder / "state.json").write_text("{}")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_train, "has no train split but test; rename one"),
        (no_labels, "has no label column: expected 'label' or"),
        (cut, "cannot read .* as Arrow .*; save the data set again"),
        (lost, "cannot read .* as Arrow .*; save the data set again"),
        (odd, "names no files; save the data set again"),
    ],
)
def test_folders_that_cannot_be_read(tmp_path, make, message):
    make(tmp_path / "d")
    with pytest.raises(UserError, match=message) as caught:
        recognise(str(tmp_path / "d"))
    assert "\n" not in str(caught.value)
