"""What verified students of a task say about the others, in closed form.

A Gaussian process over the ensemble's residuals: what all students of the task share (its level),
and what those share that the ensemble sees alike, which is told by its last hidden layer. Rasmussen
and Williams, "Gaussian Processes for Machine Learning", 2006, section 2.2; section 2.7 on a process
over the residuals of a fixed mean. All variances are in units of the ensemble's output, where one
unit is the standard deviation of a task's students; they were chosen on left-out tasks.
Letters: K verified students, N students, D numbers of the hidden layers.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

LEVEL = 1.0  # variance of what a task's students share
ALIKE = 0.2  # variance of what similar students share
LENGTH = 0.5  # of the kernel, as a root mean square difference of hidden units in [-1, 1]
NOISE = 0.5  # variance of one verified accuracy about the truth: KD seeds differ


@dataclass(frozen=True)
class Residuals:
    """The process, given K verified students: hidden layers [K, D] and dual weights [K]."""

    hidden: Tensor
    weights: Tensor

    @classmethod
    def of(cls, hidden: Tensor, outputs: Tensor, targets: Tensor) -> "Residuals":
        """From hidden layers [K, D], and outputs and targets [K] of the verified students."""
        covariance = kernel(hidden, hidden) + NOISE * torch.eye(len(hidden))
        weights: Tensor = torch.linalg.solve(covariance, targets - outputs)
        return cls(hidden, weights)

    def at(self, hidden: Tensor) -> Tensor:
        """The expected residuals [N] of students with hidden layers [N, D]."""
        return kernel(hidden, self.hidden) @ self.weights


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """[N, D], [K, D] -> prior covariances [N, K]."""
    distance = torch.cdist(a, b).square() / a.shape[1]
    return LEVEL + ALIKE * torch.exp(-distance / (2 * LENGTH**2))
