"""A cheap stand-in for the predictor on one task, learned from the students it has scored.

To score a student, the predictor looks at activations; this one looks at its widths alone, and so
at a hundred thousand students a second. Where it is right a search spends its scores on students
that are worth them (measured, CIFAR-10, micro: Spearman 0.97 with the predictor after 1,200 random
students, 0.96 among evolved ones). It proposes; what counts is always the predictor's own score.
Source: Gaussian process regression, Rasmussen and Williams, 2006, by scikit-learn.
Letters: N students, S stages, D blocks, F features.
"""

import warnings
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, Kernel, WhiteKernel

from dass_ray.cost import Cost
from dass_ray.space import Space, Specs

Floats = NDArray[np.float64]
TUNED_ON = 256  # students that the kernel's scales are fitted to
SURE = 1e-6  # accuracies that are nearer to 0 or 1, whose log-odds are infinite, count as this near
KERNEL: Kernel = ConstantKernel(1.0) * RBF(8.0, (1.0, 100.0)) + WhiteKernel(0.1, (1e-4, 1.0))


def features(space: Space, specs: Specs, costs: Cost) -> Floats:
    """Students [N, S, D] -> [N, F]: relative widths, each width as a category, log costs."""
    choices = [np.asarray(choice) for choice in space.choices]
    categories = [specs[:, s, :, None] == choice for s, choice in enumerate(choices)]
    logs = np.log(np.stack([costs.params, costs.flops], axis=1))
    flat = [category.reshape(len(specs), -1) for category in categories]
    return np.concatenate([space.vectors(specs), *flat, logs], axis=1).astype(np.float64)


@dataclass(frozen=True)
class Emulator:
    """A process over features, standardised, to log-odds of accuracy, standardised."""

    space: Space
    process: GaussianProcessRegressor
    zero: Floats
    unit: Floats
    level: float
    scale: float

    @classmethod
    def fit(cls, space: Space, specs: Specs, costs: Cost, accuracy: Floats, kernel: Kernel) -> Self:
        """From students [N, S, D] with accuracies [N] in [0, 1]; kernel: with its scales."""
        x, y = features(space, specs, costs), _log_odds(accuracy)
        zero, unit = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-6)
        level, scale = float(y.mean()), float(max(y.std(), 1e-9))
        process = GaussianProcessRegressor(kernel, optimizer=None)
        process.fit((x - zero) / unit, (y - level) / scale)
        return cls(space, process, zero, unit, level, scale)

    def predict(self, specs: Specs, costs: Cost) -> Floats:
        """Accuracies [N] of students [N, S, D]."""
        x = (features(self.space, specs, costs) - self.zero) / self.unit
        found: Floats = expit(self.process.predict(x) * self.scale + self.level)
        return found

    def optimistic(self, specs: Specs, costs: Cost) -> Floats:
        """One standard deviation above `predict`."""
        x = (features(self.space, specs, costs) - self.zero) / self.unit
        mean, std = self.process.predict(x, return_std=True)
        found: Floats = expit((mean + std) * self.scale + self.level)
        return found


def tuned(space: Space, specs: Specs, costs: Cost, accuracy: Floats) -> Kernel:
    """The kernel with scales of the highest marginal likelihood on these students [N, S, D]."""
    x, y = features(space, specs, costs), _log_odds(accuracy)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6)
    process = GaussianProcessRegressor(KERNEL, normalize_y=True)
    with warnings.catch_warnings():  # a scale at its bound is fine
        warnings.simplefilter("ignore", ConvergenceWarning)
        return process.fit(x, y).kernel_


def _log_odds(accuracy: Floats) -> Floats:
    found: Floats = logit(accuracy.clip(SURE, 1 - SURE))
    return found
