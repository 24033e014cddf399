import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.data.splits import carve, split_named

from ..make import few

BOTH = ["validation", "test"]


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train", "train"), ("Training", "train"), ("val", "validation"), ("VALID", "validation"),
        ("validation", "validation"), ("test", "test"), ("trainer", None), ("", None),
    ],
)  # fmt: skip
def test_split_named(name, split):
    assert split_named(name) == split


@few
@given(
    st.lists(st.integers(3, 60), min_size=1, max_size=6),
    st.sampled_from([BOTH, ["test"], ["validation"]]),
    st.integers(0, 2**40),
)
def test_carve_is_a_stratified_partition(counts, held_out, seed):
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = carve(labels, held_out, seed)
    assert set(rows) == {"train", *held_out}
    assert sorted(np.concatenate(list(rows.values()))) == list(range(len(labels)))
    for split, some in rows.items():
        assert (np.diff(some) > 0).all()
        of_class = np.bincount(labels[some], minlength=len(counts))
        assert (of_class >= 1).all()
        if split != "train":
            assert (np.abs(of_class - 0.15 * np.array(counts)) <= 1).all()
    again = carve(labels, held_out, seed)
    assert all((again[split] == rows[split]).all() for split in rows)


def test_another_seed_is_another_draw():
    labels = np.repeat(np.arange(3), 40)
    assert (carve(labels, BOTH, 0)["test"] != carve(labels, BOTH, 1)["test"]).any()


def test_classes_of_one_size_are_drawn_differently():
    rows = carve(np.repeat(np.arange(2), 40), BOTH, 0)["test"]
    assert list(rows[rows < 40]) != list(rows[rows >= 40] - 40)


def test_a_class_does_not_depend_on_the_others():
    first = carve(np.array([0] * 20), BOTH, 5)
    both = carve(np.array([0] * 20 + [1] * 9), BOTH, 5)
    for split in first:
        assert [row for row in both[split] if row < 20] == list(first[split])


def test_the_share_is_15_percent():
    rows = carve(np.repeat(np.arange(2), 100), BOTH, 0)
    assert {split: len(some) for split, some in rows.items()} == {
        "train": 140, "validation": 30, "test": 30,
    }  # fmt: skip
