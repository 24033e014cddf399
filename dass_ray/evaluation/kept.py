"""Zero-cost scores in a folder, so that a second evaluation need not compute them again."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dass_ray import __version__
from dass_ray.evaluation.material import Material
from dass_ray.evaluation.rankings import Floats
from dass_ray.frozen import content_hash
from dass_ray.zero_cost.catalogue import SCORES

Scored = tuple[Floats, Floats]
"""Scores [N, S] of a task's students, and seconds [S] of one student."""


def kept(folder: Path, material: Material, compute: Callable[[], Scored]) -> Scored:
    """What the folder has of this teacher, these students, images and scores; else computed.

    A file in the folder is complete or absent. Remove the folder to have all computed anew.
    """
    task = material.task
    which = content_hash(
        "zero-cost", __version__, list(SCORES), material.images, task.card.fingerprint,
        task.card.dataset_fingerprint, task.specs.tobytes().hex(),
    )  # fmt: skip
    path = folder / f"{which[:32]}.npz"
    if path.exists():
        with np.load(path) as found:
            return found["scores"], found["seconds"]
    scores, seconds = compute()
    folder.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part.npz")
    np.savez(part, scores=scores, seconds=seconds)
    os.replace(part, path)
    return scores, seconds
