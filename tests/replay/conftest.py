"""A recorded file of two tasks, made up; and stores as the evaluation's tests have them."""

import numpy as np
import pyarrow as pa
import pytest

from dass_ray.recipe import DISTILL
from dass_ray.replay.recorded import RecordCard, Recorded

from ..evaluation.conftest import Told, filled, learned, told  # noqa: F401 - fixtures
from ..make import TINY

N = 12
CARD = RecordCard(
    name="made-up", space=TINY, recipe=DISTILL["micro"], scored_by="p", scores_images=8,
    code_version="0",
)  # fmt: skip


def rows(dataset, accuracy, predicted=None, seeds=1):
    """Runs of N students of one task: accuracy [N], the same for each seed but for a thousandth."""
    specs = TINY.unpack(np.unique(TINY.sample(64, np.random.default_rng(0)), axis=0)[:N])
    scored = np.full(N, np.nan) if predicted is None else predicted
    return [
        {
            "dataset": dataset,
            "teacher": f"teacher-of-{dataset}",
            "spec": str(spec),
            "seed": seed,
            "classes": 3,
            "validation": a + seed / 1000,
            "test": a - 0.1,
            "seconds": 2.0,
            "score:nwot": float(i),
            "score:predictor": p,
        }
        for seed in range(seeds)
        for i, (spec, a, p) in enumerate(zip(specs, accuracy, scored, strict=True))
    ]


@pytest.fixture(scope="session")
def accuracy():
    return np.random.default_rng(1).permutation(N) / 20 + 0.2


@pytest.fixture(scope="session")
def recorded(accuracy):
    table = pa.Table.from_pylist(rows("old", accuracy) + rows("new", accuracy, accuracy, 2))
    return Recorded(CARD, table)
