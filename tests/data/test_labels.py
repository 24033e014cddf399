import numpy as np
import pytest

from dass_ray.data.labels import check_enough, check_same_classes, to_classes
from dass_ray.errors import UserError


def test_names_are_sorted():
    classes, labels = to_classes({"train": np.array(["cat", "ant", "cat"])})
    assert classes == ("ant", "cat")
    assert labels["train"].tolist() == [1, 0, 1]
    assert labels["train"].dtype == np.int64


def test_numbers_without_names_are_their_own_and_keep_their_order():
    classes, labels = to_classes({"train": np.array([10, 2, 7]), "test": np.array([7, 10, 2])})
    assert classes == ("2", "7", "10")
    assert labels["train"].tolist() == [2, 0, 1]
    assert labels["test"].tolist() == [1, 2, 0]


def test_numbers_of_several_types_are_numbers():
    raw = {"train": np.array([0, 10, 2]), "test": np.array([10, 2, 0], dtype=np.uint64)}
    classes, labels = to_classes(raw)
    assert classes == ("0", "2", "10")
    assert labels["test"].tolist() == [2, 1, 0]


def test_names_that_no_image_has_are_left_out():
    classes, labels = to_classes({"train": np.array([3, 1], dtype=np.uint8)}, ["a", "b", "c", "d"])
    assert classes == ("b", "d")
    assert labels["train"].tolist() == [1, 0]


@pytest.mark.parametrize(
    ("raw", "names", "message"),
    [
        ({"train": [0, -1]}, None, "label -1 is negative"),
        ({"train": [0, 2]}, ["a", "b"], "label 2 has no name: there are 2 class names"),
        ({"train": [0, 0]}, None, "all images are of one class, '0'"),
        ({"train": [0, 1], "test": []}, None, "test has no images"),
        ({"train": [0, 1], "test": ["a", "b"]}, None, "numbers in one split and names in another"),
        ({"train": [0, 1], "test": [1, 1]}, ["a", "b"], "test has no image of 'a' .1 of 2 classes"),
        ({"train": [0, 1], "validation": [0, 1, 2]}, None, "train has no image of '2'"),
        ({"train": [0], "test": [0, 1, 2, 3, 4]}, None, "'1', '2', '3', ... .4 of 5 classes"),
    ],
)
def test_bad_labels(raw, names, message):
    with pytest.raises(UserError, match=message):
        to_classes({split: np.array(some) for split, some in raw.items()}, names)


def test_same_classes():
    check_same_classes("ab", {"train": np.array([0, 1]), "test": np.array([1, 0])})
    with pytest.raises(UserError, match="test has no image of 'b'"):
        check_same_classes("ab", {"train": np.array([0, 1]), "test": np.array([0])})


@pytest.mark.parametrize(("held_out", "needed"), [(0, 3), (1, 2), (2, 1)])
def test_train_needs_an_image_for_every_split_to_be_carved(held_out, needed):
    others = {name: np.array([0, 1]) for name in ("validation", "test")[:held_out]}
    check_enough("ab", {"train": np.array([0] * needed + [1] * needed), **others})
    labels = {"train": np.array([0] * needed + [1] * (needed - 1)), **others}
    with pytest.raises(UserError, match=f"class 'b' has {needed - 1} images .* needs {needed}"):
        check_enough("ab", labels)
