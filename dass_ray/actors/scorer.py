"""The scorer actor: holds a predictor adapted to one task, and scores batches of students."""

from typing import Any

import ray
import torch

from dass_ray.actors.kd_worker import device
from dass_ray.actors.session import has_gpus, slots
from dass_ray.config import Resources
from dass_ray.errors import UserError
from dass_ray.kd.teachers import load_net
from dass_ray.predictor import checkpoint
from dass_ray.predictor.scorer import Scored, TaskScorer
from dass_ray.records import TeacherCard
from dass_ray.space import Specs
from dass_ray.store import open_store

CPUS, TRIAL_CPUS = 0.9, 0.1  # a scorer and the Tune trial that feeds it share one CPU
RESTARTS = 3  # of an actor whose process or node was lost; its batch is then scored again


class Scorer:
    """Loads predictor and teacher once, then scores one batch a call."""

    def __init__(self, uri: str, predictor: str, teacher: TeacherCard) -> None:
        torch.set_num_threads(1)  # one actor a CPU
        store = open_store(uri, write=False)
        _, found = checkpoint.load(store, predictor, teacher.space)
        net = load_net(store, teacher).to(device())
        self.scorer = TaskScorer(found, net, teacher.validation)

    def score(self, specs: Specs) -> Scored:
        """Scores students [N, S, D]."""
        return self.scorer.score(specs)


def check(resources: Resources) -> None:
    """UserError where the cluster has no CPU for each scorer, which would wait for ever."""
    if resources.scorers > (most := slots({"num_cpus": CPUS + TRIAL_CPUS})):
        raise UserError(
            f"{resources.scorers} scorers need a CPU each: lower resources.scorers to {most}"
        )


def start(uri: str, predictor: str, teacher: TeacherCard, resources: Resources) -> list[Any]:
    """Handles of `resources.scorers` actors, on GPUs where there are some.

    The calls return at once; an actor that cannot be made fails at its first score.
    """
    demand = {"num_cpus": CPUS} | ({"num_gpus": resources.gpus_per_run} if has_gpus() else {})
    actor = ray.remote(max_restarts=RESTARTS, max_task_retries=RESTARTS, **demand)(Scorer)
    return [actor.remote(uri, predictor, teacher) for _ in range(resources.scorers)]
