"""Made-up tasks for the predictor, in which a student's accuracy follows from its widths."""

import numpy as np
import torch

from dass_ray.config import MetaTrainConfig
from dass_ray.cost import cost
from dass_ray.predictor.encode import encode_students, encode_task
from dass_ray.predictor.meta_train import TaskRuns
from dass_ray.predictor.model import Scores

from .. import make_task
from ..make import TINY


def config(**changed):
    facts = {
        "name": "small", "space": TINY, "train": ("a",), "validation": ("b",), "members": 2,
        "hidden": 8, "lr": 0.01, "episodes": 20, "queries": 10, "validate_every": 5,
    }  # fmt: skip
    return MetaTrainConfig(**facts | changed)


def runs(name="a", seed=0, students=24, noise=0.0):
    """A task whose students lose accuracy with the width that their first stage lacks."""
    net, rng = make_task.teacher(seed=seed), np.random.default_rng(seed)
    specs = TINY.sample(students, rng)
    truth = 0.5 + 0.3 * specs[:, 0, 0] / 4 + 0.1 * (specs[:, 1, 1] > 0)
    return TaskRuns(
        name,
        encode_task(net, 0.9),
        encode_students(net, specs),
        torch.tensor(truth + noise * rng.standard_normal(students), dtype=torch.float32),
        cost(TINY, specs, 3),
    )


class Fixed:
    """A predictor that gives these scores, whatever the task."""

    def __init__(self, scores):
        self.scores = Scores(torch.as_tensor(scores), torch.zeros(len(scores)))

    def adapted(self, _task):
        return self

    def score(self, _students):
        return self.scores
