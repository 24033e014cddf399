import dataclasses
import json

import pytest
import torch

from dass_ray.data import mapped, parts
from dass_ray.data.dataset import (
    Dataset,
    Split,
    list_datasets,
    load_dataset,
    write_dataset,
)
from dass_ray.errors import UserError

from .make import split, splits

CLASSES = ("a", "b", "c")


class Fragile:
    """A store that fails at a put, counts them, or lets another writer be faster."""

    def __init__(self, store, fail_at=None, before_card=None):
        self._store, self._fail_at, self._before_card = store, fail_at, before_card
        self.puts = []

    def __getattr__(self, name):
        return getattr(self._store, name)

    def put(self, path, data):
        if len(self.puts) == self._fail_at:
            raise ConnectionError("gone")
        if path.endswith("card.json") and self._before_card:
            self._before_card()
        self.puts.append(path)
        return self._store.put(path, data)


def assert_equal(dataset, expected):
    for name, some in expected.items():
        assert torch.equal(dataset.splits[name].images, some.images)
        assert torch.equal(dataset.splits[name].labels, some.labels)


def test_a_large_data_set_that_is_resized_stays_on_its_device(store, monkeypatch, tmp_path):
    """Its images alone are on the host. The device is one without memory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv(mapped.IN_MEMORY, "0")
    write_dataset(store, "x", splits(), CLASSES, "a test")
    here = load_dataset(store, "x")
    made = here.resized(2)  # once for all, since what has no memory cannot be read
    resized = here.to("meta").resized(2)
    assert resized.image_size == made.image_size == 2
    assert (resized.device.type, resized.train.labels.device.type) == ("meta", "meta")
    assert torch.equal(resized.train.images, made.train.images)


def test_round_trip(store):
    content = splits()
    card = write_dataset(store, "x", content, CLASSES, "a test", skipped=2)
    dataset = load_dataset(store, "x")
    assert_equal(dataset, content)
    assert dataset.card == card
    assert card.classes == CLASSES
    assert card.counts == {"train": 9, "validation": 6, "test": 3}
    assert (card.name, card.image_size, card.source, card.skipped) == ("x", 4, "a test", 2)
    assert set(store.list("datasets")) == {
        "datasets/x/card.json",
        *(path for paths in card.parts.values() for path in paths),
    }
    assert all(f"datasets/x/{card.fingerprint[:16]}/" in p for p in card.parts["train"])


def small_parts(monkeypatch):
    """Two images a part."""
    monkeypatch.setattr(parts, "PART_BYTES", parts._OVERHEAD + 2 * (3 * 4 * 4 + 4))


def test_splits_in_several_parts_are_the_same_data_set(store, monkeypatch):
    content = splits()
    whole = write_dataset(store, "whole", content, CLASSES, "")
    small_parts(monkeypatch)
    card = write_dataset(store, "cut", content, CLASSES, "")
    assert [len(card.parts[name]) for name in ("train", "validation", "test")] == [5, 3, 2]
    assert card.fingerprint == whole.fingerprint
    assert_equal(load_dataset(store, "cut"), content)


def test_a_crash_before_the_card_leaves_no_data_set_and_can_be_repeated(store):
    content = splits()
    for fail_at in range(4):
        with pytest.raises(ConnectionError):
            write_dataset(Fragile(store, fail_at), "x", content, CLASSES, "")
        assert list_datasets(store) == []
        with pytest.raises(UserError, match="no data set 'x'"):
            load_dataset(store, "x")
    write_dataset(store, "x", content, CLASSES, "")
    assert_equal(load_dataset(store, "x"), content)


def test_parts_of_a_crashed_writer_with_another_part_size_do_no_harm(store, monkeypatch):
    content = splits()
    small_parts(monkeypatch)
    with pytest.raises(ConnectionError):
        write_dataset(Fragile(store, fail_at=5), "x", content, CLASSES, "")
    monkeypatch.undo()
    write_dataset(store, "x", content, CLASSES, "")
    assert_equal(load_dataset(store, "x"), content)


def test_same_content_again_writes_nothing(store):
    card = write_dataset(store, "x", splits(), CLASSES, "first")
    counting = Fragile(store)
    assert write_dataset(counting, "x", splits(), CLASSES, "second") == card
    assert counting.puts == []


def test_other_content_under_the_name_is_refused(store):
    write_dataset(store, "x", splits(), CLASSES, "first")
    before = store.list("")
    with pytest.raises(UserError, match=r"other images under the name 'x' .*choose another name"):
        write_dataset(store, "x", splits(seed=9), CLASSES, "second")
    assert store.list("") == before
    assert_equal(load_dataset(store, "x"), splits())


@pytest.mark.parametrize("seed", [0, 9])
def test_a_faster_writer_wins(store, seed):
    def other():
        write_dataset(store, "x", splits(), CLASSES, "the faster")

    slow = Fragile(store, before_card=other)
    if seed == 0:
        assert write_dataset(slow, "x", splits(), CLASSES, "slow").source == "the faster"
    else:
        with pytest.raises(UserError, match="choose another name"):
            write_dataset(slow, "x", splits(seed=seed), CLASSES, "slow")
    assert load_dataset(store, "x").card.source == "the faster"


def test_names_of_built_ins_are_stored_with_a_dash(store):
    assert write_dataset(store, "textures:3", splits(), CLASSES, "").name == "textures-3"
    assert load_dataset(store, "textures:3").card == load_dataset(store, "textures-3").card


def test_unknown_names_come_with_the_nearest(store):
    write_dataset(store, "flowers", splits(), CLASSES, "")
    with pytest.raises(UserError, match=r"no data set 'flower'; did you mean flowers\?"):
        load_dataset(store, "flower")


def damage(store, path, data):
    store.delete(path)
    if data is not None:
        store.put(path, data)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda some: None, "is missing"),
        (lambda some: b"nonsense", "is no Parquet file"),
        (lambda some: parts.encode(split(9, 8).images, some.labels), "images of 4 px"),
        (lambda some: parts.encode(some.images[:8], some.labels[:8]), "the card's 9 images"),
        (lambda some: parts.encode(split(18).images, split(18).labels), "the card's 9 images"),
        (lambda some: parts.encode(255 - some.images, some.labels), "fingerprint"),
        (lambda some: parts.encode(some.images, some.labels.flip(0)), "fingerprint"),
    ],
)  # fmt: skip
def test_damage_is_seen(store, make, message):
    content = splits()
    card = write_dataset(store, "x", content, CLASSES, "")
    damage(store, card.parts["train"][0], make(content["train"]))
    with pytest.raises(UserError, match=f"'x' in the store is damaged: .*{message}.*import it"):
        load_dataset(store, "x")


def test_an_error_of_the_store_is_not_called_damage(store):
    write_dataset(store, "x", splits(), CLASSES, "")

    class Offline(Fragile):
        def get(self, path):
            if path.endswith(".parquet"):
                raise UserError("the network is down")
            return self._store.get(path)

    with pytest.raises(UserError, match=r"^the network is down$"):
        load_dataset(Offline(store), "x")


def test_leaked_images_are_on_the_card(store):
    content = splits()
    images = content["test"].images.clone()
    images[0] = content["train"].images[4]
    content["test"] = Split(images, content["test"].labels)
    assert write_dataset(store, "x", content, CLASSES, "").leaked == 1
    assert write_dataset(store, "y", splits(), CLASSES, "").leaked == 0


def test_list_is_sorted_and_ignores_what_has_no_card(store):
    assert list_datasets(store) == []
    store.put("datasets/half/0123/train/000000000-000000009.parquet", b"")
    for name in ("b", "a"):
        write_dataset(store, name, splits(), CLASSES, "")
    assert [card.name for card in list_datasets(store)] == ["a", "b"]


def test_a_card_of_a_later_version_is_a_clear_error(store):
    card = write_dataset(store, "x", splits(), CLASSES, "")
    later = json.dumps(card.model_dump(mode="json") | {"schema_version": 2})
    damage(store, "datasets/x/card.json", later.encode())
    for call in (lambda: load_dataset(store, "x"), lambda: list_datasets(store)):
        with pytest.raises(UserError, match="no card this version can read"):
            call()


@pytest.mark.parametrize(
    ("change", "classes", "message"),
    [
        ({"test": None}, CLASSES, "train, validation, test"),
        ({"test": split(0)}, CLASSES, "the test split is empty"),
        ({"test": split(3, size=5)}, CLASSES, r"square, of one size.*but test has \(5, 5\)"),
        ({"train": Split(split(3).images[..., :3], split(3).labels)}, CLASSES, "square"),
        ({k: split(3, size=1) for k in splits()}, CLASSES, "from 2 to 1024 px"),
        ({"validation": split(4, classes=4)}, CLASSES, r"validation has labels outside 0\.\.2"),
        ({"validation": Split(split(2).images, torch.tensor([0, -1]))}, CLASSES, "outside"),
        ({}, ("a",), "two or more distinct classes"),
        ({}, ("a", "b", "a"), "two or more distinct classes"),
        ({}, ("a", "b", "c\udce9"), "cannot be printed"),
    ],
)
def test_what_is_no_data_set_is_refused(store, change, classes, message):
    content = {k: v for k, v in (splits() | change).items() if v is not None}
    with pytest.raises(UserError, match=message):
        write_dataset(store, "x", content, classes, "")
    assert store.list("") == []


def test_splits_check_themselves():
    good = split(2)
    for bad in (
        (good.images.float(), good.labels),
        (good.images, good.labels.int()),
        (good.images, good.labels[:1]),
        (good.images[:, :1], good.labels),
    ):
        with pytest.raises(AssertionError):
            Split(*bad)


@pytest.fixture
def dataset(store):
    write_dataset(store, "x", splits(size=8), CLASSES, "")
    return load_dataset(store, "x")


def test_resized(dataset):
    assert dataset.resized(8) is dataset
    small = dataset.resized(4)
    assert (small.image_size, dataset.image_size) == (4, 8)
    assert small.card == dataset.card
    for name in ("train", "validation", "test"):
        assert small.splits[name].images.shape[1:] == (3, 4, 4)
        assert small.splits[name].labels is dataset.splits[name].labels
    assert (small.std < dataset.std).all()  # averaging noise makes it weaker


def test_to_moves_everything(dataset):
    moved = dataset.to("meta")
    tensors = [moved.mean, moved.std]
    tensors += [t for some in moved.splits.values() for t in (some.images, some.labels)]
    assert len(tensors) == 8
    assert {tensor.device.type for tensor in tensors} == {"meta"}
    assert dataset.mean.device.type == "cpu"


def test_a_data_set_is_frozen(dataset):
    with pytest.raises(dataclasses.FrozenInstanceError):
        dataset.train = dataset.test
    assert isinstance(Dataset.of(dataset.card, dataset.splits), Dataset)
