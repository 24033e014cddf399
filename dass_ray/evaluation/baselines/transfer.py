"""A regression from encodings and zero-cost scores to accuracy, fitted on the meta-training tasks.

Source: gradient boosting on encoding and scores, as in NAS-Bench-Suite-Zero (Krishnakumar et al.,
NeurIPS 2022). Scores are standardised within each task, since tasks differ in their level.
Letters: N students, F features, S scores.
"""

from collections.abc import Sequence

import numpy as np

from dass_ray.evaluation.baselines.fitted import fit_predict
from dass_ray.evaluation.baselines.mean_accuracy import standardised
from dass_ray.evaluation.rankings import Floats

MODEL = "gradient boosting"
MOST = 4.0  # standard deviations that a score tells


def features(spec: Floats, scores: Floats) -> Floats:
    """[N, F + S]: spec features [N, F] beside standardised zero-cost scores [N, S]."""
    finite = np.where(np.isfinite(scores), scores, np.nan)
    spread = np.nanstd(finite, axis=0)
    relative = (finite - np.nanmean(finite, axis=0)) / np.where(spread > 0, spread, 1.0)
    return np.concatenate([spec, np.clip(np.nan_to_num(relative), -MOST, MOST)], axis=1)


def score(wanted: Floats, known: Sequence[Floats], accuracy: Sequence[Floats]) -> Floats:
    """[N]: of students with features [N, F + S], from each task's features and accuracies."""
    targets = np.concatenate([standardised(task) for task in accuracy])
    return fit_predict(MODEL, np.concatenate(known), targets, wanted, seed=0)
