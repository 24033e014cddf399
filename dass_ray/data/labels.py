"""Labels as they come (names or numbers) to indices of classes."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from dass_ray.data.source import Labels
from dass_ray.errors import UserError


def to_classes(
    raw: Mapping[str, npt.NDArray[np.generic]], names: Sequence[str] | None = None
) -> tuple[tuple[str, ...], dict[str, Labels]]:
    """The classes and, for each split, each image's index among them.

    raw: split -> [N] strings or integers; `names[i]` is the name of the integer i. Classes are in
    the order of their numbers or, without numbers, of their names. A name that no image has is
    left out. Raises UserError for negative or unnamed numbers, for an empty split, for one class,
    and where a class is missing from a split.
    """
    for split, some in raw.items():
        if len(some) == 0:
            raise UserError(f"{split} has no images; add some, or leave that split out")
    kinds = {some.dtype.kind in "iu" for some in raw.values()}
    if len(kinds) > 1:
        raise UserError("labels are numbers in one split and names in another; use one kind")
    if kinds == {True}:  # of several types NumPy would make floats
        raw = {split: some.astype(np.int64) for split, some in raw.items()}
    values = np.unique(np.concatenate(list(raw.values())))
    if values.dtype.kind in "iu":
        if values[0] < 0:
            raise UserError(f"label {values[0]} is negative: label every image with a class from 0")
        if names is not None and values[-1] >= len(names):
            raise UserError(f"label {values[-1]} has no name: there are {len(names)} class names")
    classes = tuple(names[int(v)] if names is not None else str(v) for v in values)
    if len(classes) < 2:
        raise UserError(f"all images are of one class, {classes[0]!r}; add a second class")
    labels = {split: np.searchsorted(values, some).astype(np.int64) for split, some in raw.items()}
    check_same_classes(classes, labels)
    return classes, labels


def check_same_classes(classes: Sequence[str], labels: Mapping[str, Labels]) -> None:
    """Raise UserError unless every split has an image of every class."""
    for split, some in labels.items():
        count = np.bincount(some, minlength=len(classes))
        missing = [name for name, n in zip(classes, count, strict=True) if n == 0]
        if missing:
            shown = ", ".join(map(repr, missing[:3])) + (", ..." if len(missing) > 3 else "")
            raise UserError(
                f"the splits have different classes: {split} has no image of {shown} "
                f"({len(missing)} of {len(classes)} classes); add images or drop the classes"
            )


def check_enough(classes: Sequence[str], labels: Mapping[str, Labels]) -> None:
    """Raise UserError unless each class has an image for each of the three splits.

    The images of a split that is not there yet will be carved out of train.
    """
    needed = 1 + 3 - len(labels)
    count = np.bincount(labels["train"], minlength=len(classes))
    rarest = int(count.argmin())
    if count[rarest] < needed:
        raise UserError(
            f"class {classes[rarest]!r} has {count[rarest]} images in train and needs {needed}, "
            "to have one in each of train, validation and test; add images or drop the class"
        )
