"""A search under way as trackers see it: one curve, a point for each batch.

Ray's own logger callbacks (TBX, MLflow, W&B) make a run for each trial. Here a trial is a batch of
candidates, so each of their runs would have one point; this callback tells them all as one.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ray.tune import Callback
from ray.tune.experiment import Trial

from dass_ray.errors import UserError
from dass_ray.tracking.job import Job

if TYPE_CHECKING:
    from dass_ray.search import BatchSearcher


class TellBatches(Callback):  # type: ignore[misc] # Ray has no types here
    """Tells a job each batch that Tune has finished, and the best candidate so far."""

    def __init__(self, searcher: "BatchSearcher", job: Job) -> None:
        self.searcher, self.job = searcher, job

    def on_trial_complete(
        self, iteration: int, trials: Sequence[Trial], trial: Trial, **info: object
    ) -> None:
        """Accuracies are shares in [0, 1], steps are candidates. Tune has told the searcher."""
        columns = trial.last_result["scored"]  # none where all of a batch was scored before
        values = {"best_predicted": self.searcher.best}
        if columns:
            predicted = np.max(columns[::2], axis=0)  # by the best teacher
            values |= {"batch_mean": predicted.mean(), "batch_best": predicted.max()}
        finite = {name: float(value) for name, value in values.items() if np.isfinite(value)}
        try:
            self.job.log(self.searcher.told, finite)
        except UserError as failure:  # Tune would wrap it: `explore` raises it
            self.searcher.failure = failure
            raise

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its callbacks for `Tuner.restore`, which the store makes needless."""
        return {}
