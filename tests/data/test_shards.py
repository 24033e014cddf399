import io
import json
import tarfile

import numpy as np
import pytest

from dass_ray.data.importers import recognise
from dass_ray.data.shards import expand
from dass_ray.errors import UserError

from .make import encoded, noise, pixels


def write(path, files):
    """A tar file of names and contents."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, data in files:
            member = tarfile.TarInfo(name)
            member.size = len(data)
            tar.addfile(member, io.BytesIO(data))
    return path


def samples(count, seed=0, label=lambda row: ("cls", str(row % 2).encode())):
    """Images 000.png, ... and their labels, which come before or after them."""
    for row in range(count):
        kind, data = label(row)
        both = [(f"{row:03d}.png", encoded(noise(8, seed + row))), (f"{row:03d}.{kind}", data)]
        yield from both if row % 3 else both[::-1]


def labels(source, split="train"):
    return source.splits[split].labels.tolist()


def test_shards_with_splits_and_names(tmp_path):
    for number in range(2):
        write(tmp_path / f"train-{number:04d}.tar", samples(5, seed=10 * number))
    write(tmp_path / "val-0000.tar.gz", samples(4, seed=100))
    (tmp_path / "classes.txt").write_text("zebra\nant\n")
    source = recognise(str(tmp_path))
    assert source.classes == ("zebra", "ant")
    assert labels(source) == [0, 1, 0, 1, 0] * 2
    images, unreadable = pixels(source.splits["train"], 8)
    assert not unreadable
    for row, image in enumerate(images):
        expected = noise(8, 10 * (row // 5) + row % 5)
        assert np.array_equal(image.transpose(1, 2, 0), expected)
    name = next(source.splits["validation"].images()).name
    assert name == "val-0000.tar.gz:000.png"


@pytest.mark.parametrize(
    ("label", "classes"),
    [
        (lambda row: ("cls", [b"ant\n", b"bee\n"][row % 2]), ("ant", "bee")),
        (lambda row: ("json", json.dumps({"label": row % 2, "w": 3}).encode()), ("0", "1")),
        (lambda row: ("json", b'{"label": %d, "class_name": "%s"}' % (row, b"ab"[row % 2 :][:1])),
         ("a", "b")),
    ],
)  # fmt: skip
def test_kinds_of_labels(tmp_path, label, classes):
    source = recognise(str(write(tmp_path / "x.tar", samples(6, label=label))))
    assert source.classes == classes
    assert labels(source) == [0, 1] * 3


def test_what_braces_and_stars_stand_for(tmp_path):
    names = ["a-08.tar", "a-09.tar", "a-10.tar", "b-1.tar"]
    for name in names:
        write(tmp_path / name, samples(2))
    found = expand(str(tmp_path / "a-{08..10}.tar"))
    assert [path.name for path in found] == names[:3]
    assert [path.name for path in expand(str(tmp_path / "*.tar"))] == names
    assert len(labels(recognise(str(tmp_path / "a-{08..10}.tar")))) == 6
    with pytest.raises(UserError, match=r"there is no .*a-11.tar; check the path"):
        expand(str(tmp_path / "a-{10..12}.tar"))


def unlabelled(path):
    write(path, [*samples(4), ("009.png", encoded(noise()))])


def no_json(path):
    write(path, samples(2, label=lambda _row: ("json", b"{nonsense")))


def cut(path):
    write(path, samples(40))
    path.write_bytes(path.read_bytes()[:9000])


def no_images(path):
    write(path, [("a.txt", b"hello")])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (unlabelled, "x.tar: '009' has no label: add 009.cls, or 009.json with one of class_name"),
        (no_json, "'000' has no label"),
        (lambda path: path.write_bytes(b"nonsense"), "cannot read .* as a tar file .*; fetch it"),
        (cut, "cannot read .* as a tar file .*; fetch it again"),
        (no_images, "train has no images"),
    ],
)
def test_shards_that_cannot_be_read(tmp_path, make, message):
    make(tmp_path / "x.tar")
    with pytest.raises(UserError, match=message) as caught:
        recognise(str(tmp_path / "x.tar"))
    assert "\n" not in str(caught.value)
