import os

import numpy as np
import pytest
import torch
from PIL import Image

from dass_ray.data.dataset import load_dataset
from dass_ray.data.importers import import_images
from dass_ray.errors import UserError

from .make import encoded, noise, write_folder, write_parquet


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "pets", {"ant": 10, "bee": 20, "cat": 30})


def test_an_image_folder(store, folder):
    card = import_images(store, "pets", folder)
    dataset = load_dataset(store, "pets")
    assert dataset.card == card
    assert card.classes == ("ant", "bee", "cat")
    assert card.counts == {"train": 42, "validation": 9, "test": 9}
    assert (card.image_size, card.skipped, card.leaked) == (8, 0, 0)
    assert card.source == (
        f"image folder {folder}; validation and test carved out of train with seed 0"
    )
    shares = [torch.bincount(split.labels).tolist() for split in dataset.splits.values()]
    assert shares == [[6, 14, 22], [2, 3, 4], [2, 3, 4]]
    every = torch.cat([split.images for split in dataset.splits.values()])
    expected = [
        noise(8, 1000 * label + i) for label, n in enumerate((10, 20, 30)) for i in range(n)
    ]
    assert {bytes(image.permute(1, 2, 0).numpy()) for image in every} == {
        image.tobytes() for image in expected
    }
    for split in dataset.splits.values():  # each image has kept its label
        for image, label in zip(split.images, split.labels, strict=True):
            pixels = image.permute(1, 2, 0).numpy()
            assert any(
                (np.asarray(noise(8, 1000 * int(label) + i)) == pixels).all() for i in range(30)
            )


def test_seeds_names_and_sizes(store, folder):
    first = import_images(store, "a", folder)
    assert import_images(store, "b", folder).fingerprint == first.fingerprint
    other = import_images(store, "c", folder, seed=1)
    assert other.fingerprint != first.fingerprint
    assert other.source.endswith("with seed 1")
    assert import_images(store, "d", folder, image_size=5).image_size == 5
    with pytest.raises(UserError, match="choose another name"):
        import_images(store, "a", folder, seed=1)
    assert import_images(store, "a", folder) == first


@pytest.mark.parametrize(
    ("side", "image_size", "expected"), [(8, None, 8), (8, 16, 16), (70, None, 64), (70, 70, 70)]
)
def test_image_size(store, tmp_path, side, image_size, expected):
    write_folder(tmp_path / "x", {"a": 3, "b": 3}, side)
    assert import_images(store, "x", tmp_path / "x", image_size=image_size).image_size == expected


def test_splits_of_different_sizes_become_64(store, tmp_path):
    for split, side in (("train", 8), ("test", 9)):
        write_folder(tmp_path / "x" / split, {"a": 3, "b": 3}, side)
    assert import_images(store, "x", tmp_path / "x").image_size == 64


@pytest.mark.parametrize(
    ("given", "carved"),
    [
        ((), "; validation and test carved out of train with seed 0"),
        (("validation",), "; test carved out of train with seed 0"),
        (("test",), "; validation carved out of train with seed 0"),
        (("validation", "test"), ""),
    ],
)
def test_only_missing_splits_are_carved(store, tmp_path, given, carved):
    root = tmp_path / "x"
    write_parquet(root / "train.parquet", [0, 1] * 20, side=4)
    for seed, split in enumerate(given, start=1):
        write_parquet(root / f"{split}.parquet", [0, 1] * 5, seed=100 * seed, side=4)
    card = import_images(store, "x", root)
    assert card.source == f"Parquet {root}{carved}"
    held_out = {split: 10 if split in given else 6 for split in ("validation", "test")}
    assert card.counts == {"train": 40 - 6 * (2 - len(given)), **held_out}
    dataset = load_dataset(store, "x")
    for seed, split in enumerate(given, start=1):
        expected = np.stack([np.asarray(noise(4, 100 * seed + i)) for i in range(10)])
        assert (dataset.splits[split].images.permute(0, 2, 3, 1).numpy() == expected).all()


def test_every_class_has_an_image_in_every_split_even_if_it_has_only_three(store, tmp_path):
    card = import_images(store, "x", write_folder(tmp_path / "x", {"a": 3, "b": 3}))
    assert card.counts == {"train": 2, "validation": 2, "test": 2}


def test_npz(store, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", images=pixels, labels=np.arange(20) % 2)
    card = import_images(store, "x", tmp_path / "x.npz")
    assert card.classes == ("0", "1")
    assert card.counts == {"train": 12, "validation": 4, "test": 4}


def test_progress(store, folder):
    seen = []
    import_images(store, "x", folder, on_progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i + 1, 60) for i in range(60)]


def test_corrupt_images_are_an_error(store, folder):
    (folder / "ant" / "000.png").write_bytes(b"")
    for name in ("001", "002", "003"):
        path = folder / "cat" / f"{name}.png"
        path.write_bytes(path.read_bytes()[:-40])
    message = (
        r"^4 of 60 images cannot be read: 'ant/000.png' \(.+\), 'cat/001.png' \(.+\), "
        r"'cat/002.png' \(.+\), \.\.\.; repair them, or leave them out with --skip-corrupt$"
    )
    with pytest.raises(UserError, match=message):
        import_images(store, "x", folder)
    assert store.list("") == []


def test_corrupt_images_are_skipped_and_counted(store, folder):
    for path in (folder / "ant" / "000.png", folder / "cat" / "029.png"):
        path.write_bytes(b"")
    card = import_images(store, "x", folder, skip_corrupt=True)
    assert card.skipped == 2
    assert sum(card.counts.values()) == 58
    dataset = load_dataset(store, "x")
    labels = torch.cat([split.labels for split in dataset.splits.values()])
    assert torch.bincount(labels).tolist() == [9, 20, 29]
    images = torch.cat([split.images for split in dataset.splits.values()])
    assert (images.flatten(1).max(1).values > 0).all()  # no black row stands for a bad image


def test_too_many_corrupt_images_leave_too_few(store, tmp_path):
    root = write_folder(tmp_path / "x", {"ant": 3, "bee": 3})
    (root / "bee" / "001.png").write_bytes(b"")
    with pytest.raises(UserError, match="class 'bee' has 2 images in train and needs 3"):
        import_images(store, "x", root, skip_corrupt=True)
    assert store.list("") == []


def test_a_class_that_is_corrupt_in_one_split(store, tmp_path):
    for split in ("train", "test"):
        write_folder(tmp_path / "x" / split, {"ant": 3, "bee": 1 if split == "test" else 3})
    (tmp_path / "x" / "test" / "bee" / "000.png").write_bytes(b"")
    with pytest.raises(UserError, match="test has no image of 'bee'"):
        import_images(store, "x", tmp_path / "x", skip_corrupt=True)


def test_leaked_images_are_reported(store, folder):
    (folder / "ant" / "000.png").write_bytes((folder / "bee" / "000.png").read_bytes())
    leaks = {import_images(store, f"s{s}", folder, seed=s).leaked for s in range(6)}
    assert leaks == {0, 1}  # by whether the two copies fall into one split


def make_nothing(tmp_path):
    return tmp_path / "nowhere"


def make_empty(tmp_path):
    (tmp_path / "x").mkdir()
    return tmp_path / "x"


def make_archive(tmp_path):
    (tmp_path / "x.zip").write_bytes(b"PK")
    return tmp_path / "x.zip"


def make_one_class(tmp_path):
    return write_folder(tmp_path / "x", {"ant": 5})


def make_two_images(tmp_path):
    return write_folder(tmp_path / "x", {"ant": 5, "bee": 2})


def make_bad_parquet(tmp_path):
    (tmp_path / "x.parquet").write_bytes(b"nonsense")
    return tmp_path / "x.parquet"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (make_nothing, "there is no .*nowhere; check the path"),
        (make_empty, "no images for train"),
        (
            make_archive,
            r"x\.zip cannot be imported: give an image folder \(unpack archives first\)",
        ),
        (make_one_class, "all images are of one class, 'ant'"),
        (make_two_images, "class 'bee' has 2 images in train and needs 3"),
        (make_bad_parquet, "cannot read"),
    ],
)
def test_bad_sources(store, tmp_path, make, message):
    with pytest.raises(UserError, match=message) as caught:
        import_images(store, "x", make(tmp_path))
    assert "\n" not in str(caught.value)
    assert store.list("") == []


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("a/b", {}, "cannot name a data set"),
        ("digits", {}, "the name of a built-in data set"),
        ("textures:1", {}, "the name of a built-in"),
        ("textures-1", {}, "the name of a built-in"),
        ("x", {"image_size": 1}, "images of 1 px: choose 2 to 1024 px"),
        ("x", {"image_size": 2000}, "images of 2000 px"),
        ("x", {"seed": -1}, "seed -1 is negative"),
    ],
)
def test_bad_options(store, folder, name, options, message):
    with pytest.raises(UserError, match=message):
        import_images(store, name, folder, **options)
    assert store.list("") == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_without_permission_are_not_corrupt(store, folder):
    (folder / "ant" / "000.png").chmod(0)
    with pytest.raises(UserError, match=r"cannot read .*000\.png: Permission denied"):
        import_images(store, "x", folder, skip_corrupt=True)


def test_files_that_vanish_are_not_corrupt(store, folder):
    (folder / "ant" / "000.png").unlink()
    (folder / "ant" / "000.png").symlink_to(folder / "gone.png")
    with pytest.raises(UserError, match=r"cannot read .*000\.png: No such file"):
        import_images(store, "x", folder, skip_corrupt=True)
    assert store.list("") == []


def test_mixed_modes_in_one_folder(store, tmp_path):
    root = write_folder(tmp_path / "x", {"a": 3, "b": 3})
    (root / "a" / "000.png").write_bytes(encoded(Image.new("RGBA", (8, 8), (255, 0, 0, 0))))
    (root / "a" / "001.tif").write_bytes(encoded(Image.new("I;16", (8, 8), 65535), "TIFF"))
    (root / "b" / "000.jpg").write_bytes(encoded(Image.new("CMYK", (8, 8)), "JPEG"))
    (root / "b" / "001.png").write_bytes(encoded(Image.new("1", (8, 8), 1)))
    card = import_images(store, "x", root)
    assert sum(card.counts.values()) == 8
    assert (card.image_size, card.skipped) == (8, 0)
