import io
import zipfile

import numpy as np
import pytest

from dass_ray.data.npz import read_npz
from dass_ray.errors import UserError

from . import make

LABELS = np.array([0, 1, 2, 0, 1, 2])
PIXELS = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
GREY = PIXELS[..., 0]


def save(tmp_path, **arrays):
    path = tmp_path / "x.npz"
    np.savez(path, **arrays)
    return path


def pixels(source, split="train", size=8):
    out, unreadable = make.pixels(source.splits[split], size)
    assert not unreadable
    return out.transpose(0, 2, 3, 1)


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (PIXELS, PIXELS),
        (PIXELS.transpose(0, 3, 1, 2), PIXELS),
        (PIXELS / 255, PIXELS),
        ((PIXELS / 255).astype(np.float32), PIXELS),
        (GREY, np.repeat(GREY[..., None], 3, 3)),
        (GREY[..., None], np.repeat(GREY[..., None], 3, 3)),
        (GREY[:, None], np.repeat(GREY[..., None], 3, 3)),
        (GREY / 255, np.repeat(GREY[..., None], 3, 3)),
        (np.concatenate([PIXELS, np.full((6, 8, 8, 1), 255, np.uint8)], 3), PIXELS),
        (np.concatenate([PIXELS, np.zeros((6, 8, 8, 1), np.uint8)], 3), 0 * PIXELS),
        (np.concatenate([PIXELS / 255, np.full((6, 8, 8, 1), 0.2)], 3), np.rint(PIXELS / 5)),
        (np.concatenate([PIXELS, np.full((6, 8, 8, 1), 51, np.uint8)], 3).transpose(0, 3, 1, 2),
         np.rint(PIXELS / 5)),
    ],
)  # fmt: skip
def test_layouts_and_types(tmp_path, images, expected):
    source = read_npz(save(tmp_path, images=images, labels=LABELS))
    assert source.splits["train"].side() == 8
    assert (pixels(source) == expected).all()


@pytest.mark.parametrize(
    "keys",
    [
        {"train": ("x_train", "y_train"), "validation": ("x_val", "y_val"),
         "test": ("x_test", "y_test")},
        {"train": ("x_train", "y_train"), "validation": ("x_valid", "y_valid")},
        {"train": ("train_images", "train_labels"), "validation": ("val_images", "val_labels"),
         "test": ("test_images", "test_labels")},
        {"train": ("images", "labels")},
    ],
)  # fmt: skip
def test_names_of_arrays(tmp_path, keys):
    arrays = {}
    for step, (images, labels) in enumerate(keys.values()):
        arrays |= {images: PIXELS + np.uint8(step), labels: np.roll(LABELS, step)}
    source = read_npz(save(tmp_path, **arrays, mean=np.zeros(3)))
    assert set(source.splits) == set(keys)
    for step, split in enumerate(keys):
        assert (pixels(source, split) == PIXELS + np.uint8(step)).all()
        assert (source.splits[split].labels == np.roll(LABELS, step)).all()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (LABELS[:, None], ("0", "1", "2")),
        (LABELS.astype(np.uint8), ("0", "1", "2")),
        (LABELS * 5, ("0", "5", "10")),
        (np.array([*"abcabc"]), ("a", "b", "c")),
    ],
)
def test_labels(tmp_path, labels, classes):
    source = read_npz(save(tmp_path, images=PIXELS, labels=labels))
    assert source.classes == classes
    assert source.splits["train"].labels.tolist() == LABELS.tolist()


def test_other_sizes_are_cropped_and_resized(tmp_path):
    wide = np.zeros((6, 40, 60, 3), dtype=np.uint8)
    wide[:, :, 10:50] = np.repeat(np.repeat(PIXELS, 5, 1), 5, 2)
    source = read_npz(save(tmp_path, images=wide, labels=LABELS))
    assert source.splits["train"].side() is None
    assert (pixels(source, size=40) == wide[:, :, 10:50]).all()
    small = pixels(source, size=8).astype(int)
    assert np.abs(small - PIXELS).mean() < 40  # a triangle filter mixes in neighbours


def test_all_images_are_counted(tmp_path):
    done = []
    many = np.zeros((1500, 4, 4), dtype=np.uint8)
    source = read_npz(save(tmp_path, images=many, labels=np.arange(1500) % 3))
    make.pixels(source.splits["train"], 4, lambda: done.append(1))
    assert len(done) == 1500


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x_test": PIXELS, "y_test": LABELS}, "no train images: .*found 'x_test'"),
        ({"data": PIXELS}, "no train images: .*found 'data'"),
        ({"images": PIXELS}, "has 'images' without 'labels'; add the labels"),
        ({"x_train": PIXELS}, "has 'x_train' without 'y_train'"),
        ({"x_train": PIXELS, "y_train": LABELS, "images": PIXELS, "labels": LABELS},
         "two arrays of train images; keep one"),
        ({"images": PIXELS, "labels": LABELS[:5]}, r"labels int64 \[5\] for images \[6, 8, 8, 3\]"),
        ({"images": PIXELS, "labels": np.eye(6)}, "one integer or string an image"),
        ({"images": PIXELS, "labels": LABELS / 2}, "labels float64"),
        ({"images": PIXELS, "labels": -LABELS}, "label -2 is negative"),
        ({"images": PIXELS, "labels": 0 * LABELS}, "one class"),
        ({"images": PIXELS[:0], "labels": LABELS[:0]}, "train has no images"),
        ({"images": PIXELS, "labels": LABELS, "x_test": PIXELS[:2], "y_test": LABELS[:2]},
         "test has no image of '2'"),
        ({"images": PIXELS[0, 0], "labels": LABELS}, "labels int64|shape"),
        ({"images": PIXELS[..., :2], "labels": LABELS}, r"shape \[6, 8, 8, 2\]; expected"),
        ({"images": PIXELS[:, :0], "labels": LABELS}, r"shape \[6, 0, 8, 3\]; expected"),
        ({"images": PIXELS[..., None], "labels": LABELS}, r"shape \[6, 8, 8, 3, 1\]; expected"),
        ({"images": PIXELS.astype(int), "labels": LABELS}, "int64 images; save uint8 or"),
        ({"images": PIXELS.astype(float), "labels": LABELS}, r"images in 0\.0\.\.255\.0; scale"),
        ({"images": PIXELS / 255 - 0.5, "labels": LABELS}, r"float images in -0\.5"),
        ({"images": np.full((6, 8, 8), np.nan), "labels": LABELS}, "float images in nan"),
        ({"images": np.array([PIXELS[0], None], dtype=object), "labels": LABELS[:2]},
         "it holds Python objects, which can run code"),
        ({"images": PIXELS, "labels": LABELS.astype(object)}, "it holds Python objects"),
    ],
)  # fmt: skip
def test_wrong_arrays(tmp_path, arrays, message):
    with pytest.raises(UserError, match=message) as caught:
        read_npz(save(tmp_path, **arrays))
    assert "\n" not in str(caught.value)


def npy():
    buffer = io.BytesIO()
    np.save(buffer, PIXELS)
    return buffer.getvalue()


@pytest.mark.parametrize("data", [b"", b"nonsense", npy()])
def test_files_that_are_no_archive(tmp_path, data):
    path = tmp_path / "x.npz"
    path.write_bytes(data)
    with pytest.raises(UserError, match="is no npz archive"):
        read_npz(path)


@pytest.mark.parametrize("compress", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("harm", ["middle", "header"])
def test_damaged_archives(tmp_path, compress, harm):
    path = tmp_path / "x.npz"
    compress(path, images=PIXELS, labels=LABELS)
    data = bytearray(path.read_bytes())
    start = 400 if harm == "middle" else 60
    data[start : start + 40] = b"\xff" * 40
    path.write_bytes(bytes(data))
    with pytest.raises(UserError, match=r"x\.npz is damaged"):
        read_npz(path)


def test_members_that_are_no_arrays_are_ignored(tmp_path):
    path = save(tmp_path, images=PIXELS, labels=LABELS)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("readme.txt", "hello")
        archive.writestr("train_images", "not an array")
    assert (pixels(read_npz(path)) == PIXELS).all()
