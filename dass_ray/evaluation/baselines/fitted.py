"""What a user could do without a predictor: distil a few students, fit a regression, rank the rest.

Gaussian process, random forest and gradient boosting of scikit-learn on spec vectors and log costs,
as surrogates are made in NAS-Bench-301 (Siems et al., 2020) and in Bayesian optimisation.
Letters: N students, F features, k runs, R repeats with other runs.
"""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, WhiteKernel
from sklearn.preprocessing import StandardScaler

from dass_ray.evaluation.baselines.mean_accuracy import standardised
from dass_ray.evaluation.rankings import Floats

LENGTHS = (0.3, 100.0)  # of the kernel, in standard deviations of the features times sqrt(F)


def gaussian_process(seed: int, features: int) -> Any:  # noqa: ANN401 - scikit-learn has no types
    """RBF kernel with one length, and noise; both fitted by marginal likelihood."""
    length = np.sqrt(features)
    bounds = (LENGTHS[0] * length, LENGTHS[1] * length)
    kernel = RBF(length, bounds) + WhiteKernel(0.5, (1e-3, 1e3))
    return GaussianProcessRegressor(kernel, random_state=seed)


def random_forest(seed: int, _features: int) -> Any:  # noqa: ANN401
    """100 trees."""
    return RandomForestRegressor(100, random_state=seed)


def boosting(seed: int, _features: int) -> Any:  # noqa: ANN401
    """100 trees of depth 3."""
    return GradientBoostingRegressor(random_state=seed)


MODELS: dict[str, Callable[[int, int], Any]] = {
    "Gaussian process": gaussian_process,
    "random forest": random_forest,
    "gradient boosting": boosting,
}


def draws(n: int, k: int, repeats: int) -> list[np.ndarray[Any, np.dtype[np.int64]]]:
    """Which k of n students are distilled, `repeats` times; the same for every method."""
    rng = np.random.default_rng([n, k])
    return [rng.permutation(n)[:k] for _ in range(repeats)]


def scores(model: str, features: Floats, accuracy: Floats, k: int, repeats: int) -> Floats:
    """[R, N]: predictions for students with features [N, F]; NaN for the k that were distilled."""
    out = np.empty((repeats, len(accuracy)))
    for repeat, given in enumerate(draws(len(accuracy), k, repeats)):
        out[repeat] = fit_predict(model, features[given], accuracy[given], features, repeat)
        out[repeat, given] = np.nan
    return out


def fit_predict(
    model: str, features: Floats, accuracy: Floats, wanted: Floats, seed: int
) -> Floats:
    """Predictions [N] for students with features `wanted` [N, F], in standardised accuracy."""
    scaler = StandardScaler().fit(features)
    fitted = MODELS[model](seed, features.shape[1])
    with warnings.catch_warnings():  # a length at its bound is what the bounds are for
        warnings.simplefilter("ignore", ConvergenceWarning)
        fitted.fit(scaler.transform(features), standardised(accuracy))
    found: Floats = fitted.predict(scaler.transform(wanted))
    return found
