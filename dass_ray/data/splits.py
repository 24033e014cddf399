"""Train, validation and test: what they are called, and carving the missing ones out of train."""

from collections.abc import Sequence

import numpy as np

from dass_ray.data.source import Labels

SPLITS = ("train", "validation", "test")
HELD_OUT = 0.15  # share of each class that goes into each carved split
_SYNONYMS = {
    "train": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validation": "validation",
    "test": "test",
    "testing": "test",
}


def split_named(name: str) -> str | None:
    """The split that a directory, array or word means: `Val` is `validation`, `cats` is None."""
    return _SYNONYMS.get(name.lower())


def carve(labels: Labels, held_out: Sequence[str], seed: int) -> dict[str, Labels]:
    """Rows of `train` and of each held-out split, stratified: disjoint, sorted, together all rows.

    labels: [N]. Of each class's n images every held-out split gets 15%, rounded, at least one;
    train keeps the rest. Each class is drawn by (seed, class), so another class's images do not
    change the draw.
    """
    rows: dict[str, list[Labels]] = {split: [] for split in ("train", *held_out)}
    for label in np.unique(labels):
        drawn = np.random.default_rng([seed, int(label)]).permutation(
            np.nonzero(labels == label)[0]
        )
        share = max(1, round(HELD_OUT * len(drawn)))
        assert len(drawn) > share * len(held_out), (label, len(drawn))
        for split in held_out:
            rows[split].append(drawn[:share])
            drawn = drawn[share:]
        rows["train"].append(drawn)
    return {split: np.sort(np.concatenate(some)) for split, some in rows.items()}
