import pytest
import torch

from dass_ray.data.builtin import digits, resolve
from dass_ray.data.dataset import list_datasets, write_dataset
from dass_ray.errors import UserError

from .make import splits


def test_digits(store):
    dataset = resolve(store, "digits")
    assert dataset.card.classes == tuple("0123456789")
    assert dataset.card.counts == {"train": 1259, "validation": 269, "test": 269}
    assert dataset.image_size == 16
    images = torch.cat([split.images for split in dataset.splits.values()])
    assert torch.equal(images[:, 0], images[:, 2])
    assert (int(images.min()), int(images.max())) == (0, 255)
    assert dataset.card.leaked == 0


def test_digits_are_in_the_right_classes():
    images, labels = digits()
    flat = images[:, 0].flatten(1).float()
    centres = torch.stack([flat[labels == k].mean(0) for k in range(10)])
    assert (torch.cdist(flat, centres).argmin(1) == labels).float().mean() > 0.85


def test_textures_are_written_once(store):
    dataset = resolve(store, "textures:3")
    assert [card.name for card in list_datasets(store)] == ["textures-3"]
    assert dataset.image_size == 16
    assert "textures:3" in dataset.card.source
    assert set(map(int, dataset.test.labels)) == set(range(len(dataset.card.classes)))
    before = store.list("")
    for name in ("textures:3", "textures-3"):
        assert resolve(store, name).card == dataset.card
    assert store.list("") == before
    assert resolve(store, "textures:4").card.fingerprint != dataset.card.fingerprint


def test_the_store_goes_first(store):
    card = write_dataset(store, "digits", splits(), ("a", "b", "c"), "from an earlier version")
    assert resolve(store, "digits").card == card


def test_two_processes_may_write_the_same(store, tmp_path):
    first = resolve(store, "textures:1")
    store.delete("datasets/textures-1/card.json")
    assert resolve(store, "textures:1").card == first.card


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mine2", "no data set 'mine2'; did you mean mine?"),
        ("digit", "did you mean digits?"),
        ("textures", "did you mean textures:<seed>"),
        ("textures:x", "did you mean textures:<seed>"),
        ("../etc", "there are: digits, mine, textures:<seed>; `dass-ray data import"),
    ],
)
def test_unknown_names(store, name, message):
    write_dataset(store, "mine", splits(), ("a", "b", "c"), "")
    with pytest.raises(UserError) as caught:
        resolve(store, name)
    assert message in str(caught.value)
