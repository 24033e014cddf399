import pytest
import torch

from dass_ray.data.dataset import load_dataset
from dass_ray.data.mapped import IN_MEMORY
from dass_ray.errors import UserError
from dass_ray.store import open_store

from .. import make_task


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with a data set, and a folder for the files that its processes map."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    store = open_store(str(tmp_path / "store"))
    make_task.stored(store, size=16)
    return store


def same(a, b):
    equal = [
        torch.equal(x, y)
        for name in a.splits
        for x, y in zip(vars(a.splits[name]).values(), vars(b.splits[name]).values(), strict=True)
    ]
    return all(equal) and torch.equal(a.mean, b.mean) and torch.equal(a.std, b.std)


def test_a_large_data_set_equals_a_small_one(store, tmp_path, monkeypatch):
    small = load_dataset(store, "tinges")
    shrunk = small.resized(8)
    assert not list(tmp_path.glob("dass_ray-*"))
    monkeypatch.setenv(IN_MEMORY, "0")
    for _ in range(2):  # made, then found
        large = load_dataset(store, "tinges")
        assert large.is_large
        assert same(large, small)
        assert same(large.resized(8), shrunk)
    assert len([p for p in tmp_path.glob("dass_ray-*/*") if p.is_dir()]) == 2
    assert large.to("cpu").train.images.data_ptr() == large.train.images.data_ptr()


def test_images_of_a_large_data_set_stay_on_the_host(store, monkeypatch):
    monkeypatch.setenv(IN_MEMORY, "0")
    moved = load_dataset(store, "tinges").to("meta")
    assert moved.device.type == moved.train.labels.device.type == "meta"
    assert moved.train.images.device.type == "cpu"


def test_a_damaged_one_is_told_and_leaves_nothing(store, tmp_path, monkeypatch):
    monkeypatch.setenv(IN_MEMORY, "0")
    part = next(path for path in store.list("datasets") if "validation" in path)
    store.delete(part)
    with pytest.raises(UserError, match=r"is damaged: .* is missing"):
        load_dataset(store, "tinges")
    folders = [path.name for path in tmp_path.glob("dass_ray-*/*") if path.is_dir()]
    assert all(name.endswith(".part") for name in folders)
