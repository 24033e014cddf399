"""Made-up tasks for the predictor, in which a student's accuracy follows from its widths."""

import numpy as np
import torch

from dass_ray.config import Encodings, MetaTrainConfig
from dass_ray.cost import cost
from dass_ray.predictor.encode import TaskEncoder
from dass_ray.predictor.runs import TaskRuns

from .. import make_task
from ..make import TINY

PAPER = Encodings(architecture=True, student=True, teacher=True, summary=False, signals=())
EVERY = Encodings(architecture=True, student=True, teacher=True, dataset=True)


def config(**changed):
    facts = {
        "name": "small", "space": TINY, "train": ("a",), "validation": ("b",), "members": 2,
        "hidden": 8, "lr": 0.01, "episodes": 20, "queries": 10, "validate_every": 5,
        "encodings": PAPER, "adaptation": "second", "ranking": "none",
    }  # fmt: skip
    return MetaTrainConfig(**facts | changed)


def encoder(encodings=PAPER, seed=0, accuracy=0.9, space=TINY):
    data = make_task.dataset(seed=seed) if encodings.sees_images else None
    return TaskEncoder(make_task.teacher(seed=seed), accuracy, space, encodings, data)


def runs(name="a", seed=0, students=24, noise=0.0, encodings=PAPER):
    """A task whose students lose accuracy with the width that their first stage lacks."""
    encode, rng = encoder(encodings, seed), np.random.default_rng(seed)
    specs = TINY.sample(students, rng)
    truth = 0.5 + 0.3 * specs[:, 0, 0] / 4 + 0.1 * (specs[:, 1, 1] > 0)
    return TaskRuns(
        name,
        encode.task,
        encode.students(specs),
        torch.tensor(truth + noise * rng.standard_normal(students), dtype=torch.float32),
        cost(TINY, specs, 3),
    )
