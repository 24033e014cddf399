"""What is judged: how methods rank the students of a task, and what real KD says.

Letters: N students, K KD seeds, R repeats of a method that draws at random.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Group = Literal["ours", "ablation", "no KD", "KD on target"]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """Real KD of one unseen task: accuracy [K, N] by seed, NaN where one is missing; params [N]."""

    task: str
    accuracy: Floats
    params: NDArray[np.int64]

    @property
    def mean(self) -> Floats:
        """[N]: over the seeds that there are."""
        mean: Floats = np.nanmean(self.accuracy, axis=0)
        return mean


@dataclass(frozen=True)
class Ranking:
    """How one method ranks the students of one task; higher is better.

    scores [R, N]: NaN for students that the method was given in that repeat, and is not judged on.
    seconds: of scoring one student; target_seconds: of KD on the target that the method was given.
    low, high [N]: ends of 80% intervals of accuracy, where the method has some.
    """

    method: str
    group: Group
    task: str
    scores: Floats
    seconds: float
    target_seconds: float = 0.0
    low: Floats | None = None
    high: Floats | None = None
