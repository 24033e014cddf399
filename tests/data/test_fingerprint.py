import hashlib
import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.data import fingerprint as module
from dass_ray.data.fingerprint import SPLITS, fingerprint, leaked

from ..make import few
from .make import splits

CLASSES = ("a", "b", "c")


def content(seed=0):
    return {name: (s.images, s.labels) for name, s in splits(seed=seed).items()}


def test_is_the_documented_hash_on_every_machine():
    some = content()
    header = [1, list(CLASSES), {name: [*some[name][0].shape] for name in SPLITS}]
    expected = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name in SPLITS:
        expected.update(some[name][0].numpy().tobytes())
        expected.update(b"".join(int(i).to_bytes(8, "little") for i in some[name][1]))
    assert fingerprint(CLASSES, some) == expected.hexdigest()


def test_memory_layout_chunks_and_order_of_the_splits_do_not_matter(monkeypatch):
    some = content()
    before = fingerprint(CLASSES, some)
    last = {k: (v[0].contiguous(memory_format=torch.channels_last), v[1]) for k, v in some.items()}
    monkeypatch.setattr(module, "_CHUNK", 2)
    assert fingerprint(list(CLASSES), dict(reversed(last.items()))) == before


@few
@given(st.sampled_from(SPLITS), st.integers(0, 3 * 3 * 4 * 4 - 1), st.integers(1, 255))
def test_changes_with_one_pixel(split, position, step):
    some = content()
    before = fingerprint(CLASSES, some)
    flat = some[split][0].view(-1)
    flat[position] = (int(flat[position]) + step) % 256
    assert fingerprint(CLASSES, some) != before


@pytest.mark.parametrize("split", SPLITS)
def test_changes_with_one_label(split):
    some = content()
    before = fingerprint(CLASSES, some)
    some[split][1][0] += 1
    assert fingerprint(CLASSES, some) != before


def test_changes_with_classes_and_with_the_cut_between_splits():
    some = content()
    before = fingerprint(CLASSES, some)
    assert fingerprint(("a", "c", "b"), some) != before
    assert fingerprint(("a,b", "c"), some) != fingerprint(("a", "b,c"), some)
    images, labels = (torch.cat([some["train"][i], some["validation"][i]]) for i in (0, 1))
    moved = {"train": (images[:8], labels[:8]), "validation": (images[8:], labels[8:])}
    assert fingerprint(CLASSES, some | moved) != before


@few
@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5)))
def test_leaked_counts_held_out_images_seen_in_an_earlier_split(train, validation, test):
    lists = dict(zip(SPLITS, (train, validation, test), strict=True))
    images = {
        name: torch.tensor(some, dtype=torch.uint8).view(-1, 1, 1, 1).repeat(1, 3, 2, 2)
        for name, some in lists.items()
    }
    expected = sum(v in train for v in validation) + sum(v in train + validation for v in test)
    assert leaked(images) == expected
