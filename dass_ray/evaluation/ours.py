"""How a predictor ranks the students of a test task, also after it was given some real runs."""

from collections.abc import Sequence

import numpy as np
import torch

from dass_ray.evaluation.baselines.fitted import draws
from dass_ray.evaluation.rankings import Group, Ranking
from dass_ray.predictor.model import Predictor, Verified
from dass_ray.predictor.runs import TaskRuns

OURS = "predictor"
LEVEL = 0.8  # of the intervals whose coverage is reported


def ranking(
    predictor: Predictor, runs: TaskRuns, seconds: float, name: str = OURS, group: Group = "ours"
) -> Ranking:
    """The ranking by a predictor adapted to the teacher alone; seconds: of one student."""
    adapted = predictor.adapted(runs.task)
    scores = adapted.score(runs.students)
    low, high = (end.double().numpy() for end in adapted.interval(scores, LEVEL))
    mean = scores.mean.double().numpy()[None]
    return Ranking(name, group, runs.name, mean, seconds, low=low, high=high)


def given_runs(
    predictor: Predictor, runs: TaskRuns, k: int, repeats: int, seconds: float, run_seconds: float
) -> Ranking:
    """The ranking after adaptation to k verified students more, drawn `repeats` times.

    run_seconds: of one KD run.
    """
    n = len(runs.accuracy)
    out = np.empty((repeats, n))
    for repeat, given in enumerate(draws(n, k, repeats)):
        chosen = torch.from_numpy(given)
        verified = Verified(runs.students[chosen], runs.accuracy[chosen])
        out[repeat] = predictor.adapted(runs.task, verified).score(runs.students).mean.numpy()
        out[repeat, given] = np.nan
    name = f"{OURS}, {k} runs"
    return Ranking(name, "KD on target", runs.name, out, seconds, k * run_seconds)


def enough(runs: TaskRuns, given: Sequence[int]) -> list[int]:
    """Those numbers of runs that leave at least three students to be ranked."""
    return [k for k in given if k + 3 <= len(runs.accuracy)]
