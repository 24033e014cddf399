"""MLflow: a run for each of ours, where MLFLOW_TRACKING_URI says.

The experiment is MLFLOW_EXPERIMENT_NAME, by default `dass-ray`; the job is the tag `group`.
"""

import os
import time
from collections.abc import Mapping
from typing import Any

from dass_ray.tracking.base import Facts

# Both are read when mlflow is imported. Its telemetry makes that take two minutes on a machine
# without internet (measured: 115 s against 1 s, mlflow-skinny 3.17).
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient


class MLflowRun:
    """A run of MLflow; the client is told its name with everything, so many may be open."""

    def __init__(self, client: Any, run: str) -> None:  # noqa: ANN401 - MLflow has no types here
        self.client, self.run = client, run

    def log(self, step: int, values: Mapping[str, float]) -> None:
        """See `TrackedRun.log`."""
        now = int(1000 * time.time())
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self.client.log_batch(self.run, metrics=metrics)

    def end(self, *, ok: bool) -> None:
        """See `TrackedRun.end`."""
        self.client.set_terminated(self.run, "FINISHED" if ok else "FAILED")


class MLflow:
    """The runs of a job in one experiment, which is made where it is missing."""

    def __init__(self, group: str) -> None:
        self.client, self.group = MlflowClient(), group
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "dass-ray")
        known = self.client.get_experiment_by_name(name)
        self.experiment = known.experiment_id if known else self.client.create_experiment(name)

    def start(self, name: str, facts: Facts) -> MLflowRun:
        """See `Tracker.start`."""
        made = self.client.create_run(self.experiment, run_name=name, tags={"group": self.group})
        run = made.info.run_id
        params = [Param(key, str(value)) for key, value in facts.items()]
        self.client.log_batch(run, params=params)
        return MLflowRun(self.client, run)
