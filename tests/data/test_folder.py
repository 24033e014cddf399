import numpy as np
import pytest
from PIL import Image

from dass_ray.data.folder import EXTENSIONS, read_folder
from dass_ray.errors import UserError

from .make import encoded, noise, pixels, write_folder


def names(source, split="train"):
    return [image.name for image in source.splits[split].images()]


def test_class_per_directory(tmp_path):
    write_folder(tmp_path, {"dog": 2, "cat": 3})
    source = read_folder(tmp_path)
    assert source.classes == ("cat", "dog")
    assert list(source.splits) == ["train"]
    assert source.splits["train"].labels.tolist() == [0, 0, 0, 1, 1]
    cats = [f"cat/{i:03d}.png" for i in range(3)]
    assert names(source) == [*cats, "dog/000.png", "dog/001.png"]
    assert str(tmp_path) in source.description


@pytest.mark.parametrize("train", ["train", "training", "Train"])
@pytest.mark.parametrize("validation", ["val", "valid", "validation"])
def test_directories_of_splits(tmp_path, train, validation):
    for name in (train, validation, "test"):
        write_folder(tmp_path / name, {"cat": 1, "dog": 1})
    source = read_folder(tmp_path)
    assert set(source.splits) == {"train", "validation", "test"}
    assert names(source, "validation") == [f"{validation}/cat/000.png", f"{validation}/dog/000.png"]
    assert source.classes == ("cat", "dog")


def test_only_train(tmp_path):
    write_folder(tmp_path / "train", {"cat": 1, "dog": 1})
    assert list(read_folder(tmp_path).splits) == ["train"]


def test_what_lies_beside_splits_is_not_read(tmp_path):
    for name in ("train", "test", "annotations"):
        write_folder(tmp_path / name, {"cat": 1, "dog": 1})
    assert set(read_folder(tmp_path).splits) == {"train", "test"}


@pytest.mark.parametrize("name", ["test", "train"])
def test_a_class_may_be_called_like_a_split(tmp_path, name):
    write_folder(tmp_path, {"bus": 1, "car": 1, name: 1})
    assert read_folder(tmp_path).classes == ("bus", "car", name)


def test_extensions_hidden_files_and_depth(tmp_path):
    write_folder(tmp_path, {"cat": 0, "dog": 1})
    for extension in (*EXTENSIONS, ".PNG", ".JPEG"):
        (tmp_path / "cat" / f"x{extension}").write_bytes(b"")
    (tmp_path / "cat" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "cat" / "deep" / "er" / "y.png").write_bytes(b"")
    for ignored in (".hidden.png", "notes.txt", "Thumbs.db", "z.png.bak"):
        (tmp_path / "cat" / ignored).write_bytes(b"")
    for hidden in (tmp_path / ".git", tmp_path / "cat" / ".thumbnails"):
        hidden.mkdir()
        (hidden / "a.png").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    (tmp_path / "loose.png").write_bytes(b"")
    source = read_folder(tmp_path)
    assert source.classes == ("cat", "dog")
    expected = {f"cat/x{e}" for e in (*EXTENSIONS, ".PNG", ".JPEG")} | {"cat/deep/er/y.png"}
    assert set(names(source)) == {*expected, "dog/000.png"}


def test_links_are_followed(tmp_path):
    write_folder(tmp_path / "there", {"cat": 1})
    write_folder(tmp_path / "here", {"dog": 1})
    (tmp_path / "here" / "cat").symlink_to(tmp_path / "there" / "cat")
    (tmp_path / "here" / "dog" / "more").symlink_to(tmp_path / "there" / "cat")
    source = read_folder(tmp_path / "here")
    assert names(source) == ["cat/000.png", "dog/000.png", "dog/more/000.png"]


def test_pixels(tmp_path):
    write_folder(tmp_path, {"cat": 1, "dog": 1})
    (tmp_path / "cat" / "000.png").write_bytes(encoded(Image.new("RGB", (8, 8), (1, 2, 3))))
    split = read_folder(tmp_path).splits["train"]
    assert split.side() == 8
    images, unreadable = pixels(split, 8)
    assert not unreadable
    assert images[0, :, 0, 0].tolist() == [1, 2, 3]
    assert (images[1] == np.asarray(noise(8, 1000)).transpose(2, 0, 1)).all()


def make_empty(root):
    pass


def make_loose(root):
    (root / "a.png").write_bytes(encoded(noise()))


def make_one_class(root):
    write_folder(root, {"cat": 3})


def make_test_only(root):
    write_folder(root / "test", {"cat": 1, "dog": 1})


def make_flat_splits(root):
    write_folder(root, {"train": 2, "val": 2})


def make_flat_splits_and_more(root):
    write_folder(root, {"train": 2, "val": 2, "annotations": 0})


def make_twice(root):
    for name in ("train", "val", "valid"):
        write_folder(root / name, {"cat": 1, "dog": 1})


def make_other_classes(root):
    write_folder(root / "train", {"cat": 1, "dog": 1})
    write_folder(root / "test", {"cat": 1, "cow": 1})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_empty, r"no images for train in .*a directory for each class, with \.png"),
        (make_loose, "no images for train"),
        (make_one_class, "all images are of one class, 'cat'"),
        (make_test_only, "no train directory beside test; add one"),
        (make_flat_splits, "no images for train"),
        (make_flat_splits_and_more, "no images for train"),
        (make_twice, "two directories for validation, val and valid; keep one"),
        (make_other_classes, "train has no image of 'cow'"),
    ],
)
def test_errors(tmp_path, make, message):
    make(tmp_path)
    with pytest.raises(UserError, match=message):
        read_folder(tmp_path)
