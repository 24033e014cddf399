"""Mean accuracy of the architecture over the meta-training tasks: no information on the task.

What does not beat it has learned nothing about tasks. Source: METHOD's serious evaluation; a mean
over tasks, each standardised, is the constant predictor of multi-task surrogates.
A student that no meta-training task has is given the mean of its nearest ones.
Letters: N students, P runs of all meta-training tasks, F the spec vector's length.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dass_ray.evaluation.rankings import Floats

NEAREST = 5


def standardised(accuracy: Floats) -> Floats:
    """[N]: zero mean and unit standard deviation, so that easy and hard tasks weigh alike."""
    spread = float(accuracy.std())
    found: Floats = (accuracy - accuracy.mean()) / (spread or 1.0)
    return found


def score(
    vectors: NDArray[np.float32],
    known: Sequence[NDArray[np.float32]],
    accuracy: Sequence[Floats],
) -> Floats:
    """[N]: of students with spec vectors [N, F], from each task's vectors and accuracies."""
    rows = np.concatenate(known)
    values = np.concatenate([standardised(task) for task in accuracy])
    unique, inverse = np.unique(rows, axis=0, return_inverse=True)
    means = np.bincount(inverse.ravel(), values) / np.bincount(inverse.ravel())
    distance = np.linalg.norm(vectors[:, None] - unique[None], axis=2)
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :NEAREST]
    exact = distance.min(axis=1) == 0
    found: Floats = np.where(exact, means[nearest[:, 0]], means[nearest].mean(axis=1))
    return found
