"""The benches of search: they run, on a real Ray, and tell what they should."""

import math

import numpy as np
import pytest

from dass_ray.actors.kd_worker import train_teacher
from dass_ray.actors.session import ray_session
from dass_ray.bench import explore
from dass_ray.bench.scoring import alike
from dass_ray.bench.search import search
from dass_ray.config import SearchConfig
from dass_ray.cost import Cost
from dass_ray.errors import UserError
from dass_ray.explore.archive import Candidates
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.limits import Costs
from dass_ray.recipe import TEACHERS
from dass_ray.space import MICRO
from dass_ray.store import open_store

CONFIG = SearchConfig(dataset="textures:0", batch=8)


def test_search_through_tune_and_optuna():
    with ray_session():
        found = search(candidates=16, plain=2, batch=8, scorers=1)
    assert all(math.isfinite(value) for value in found.values())
    assert found["scorers"] == 1
    assert found["ratio"] == found["candidates_per_s"] / found["plain_candidates_per_s"]
    shares = [found[f"{name}_share"] for name in ("scoring", "optuna", "tune")]
    assert all(0 <= share <= 1 for share in shares)


def test_every_sampler_searches_the_same_task(tmp_path):
    store = open_store(str(tmp_path))
    with pytest.raises(UserError, match="run `dass-ray teacher train -d textures:0` first"):
        explore.samplers(store, CONFIG, 0.1, [0])
    recipe = TEACHERS["micro"].model_copy(update={"epochs": 1, "min_steps": 0})
    train_teacher(store.uri, "textures:0", TeacherPlan(MICRO, recipe, 0))
    found = explore.samplers(store, CONFIG, 0.01, [0, 1])
    assert [(one.sampler, one.seed) for one in found] == [
        (name, seed) for seed in (0, 1) for name in explore.SAMPLERS
    ]
    assert all(one.candidates >= 8 and 0 < one.best < 1 and 0 < one.volume < 1 for one in found)
    assert explore.summary(found)["tpe"]["best"] == np.mean([found[2].best, found[6].best])


def test_growth_counts_every_candidate():
    rows = list(explore.growth("guided", (20, 50), 16))
    assert [row["candidates"] for row in rows] == [20, 50]
    assert all(row["candidates_per_s"] > 0 for row in rows)


def test_hypervolume_by_hand():
    """Two steps of a staircase, and a student behind it; in units of the range of log FLOPs."""
    costs = Costs(MICRO, 10)
    low, high = costs(MICRO.pack([MICRO.smallest, MICRO.teacher])).flops
    third, two_thirds = (low * (high / low) ** share for share in (1 / 3, 2 / 3))
    flops = np.array([third, two_thirds, two_thirds * 1.01])
    some = Candidates(
        MICRO.sample(3, np.random.default_rng(0)), np.array([0.6, 0.9, 0.8]), np.zeros(3),
        Cost(np.ones(3, np.int64), flops.astype(np.int64)),
    )  # fmt: skip
    assert explore.volume(CONFIG, costs, some) == pytest.approx((0.6 + 0.9) / 3, abs=1e-4)


def test_batches_as_a_search_proposes_them():
    specs = alike(MICRO, 64, np.random.default_rng(0))
    heads, counts = np.unique(specs[:, :2], axis=0, return_counts=True)
    assert len(heads) == 4
    assert set(counts) == {16}
    assert len(np.unique(specs, axis=0)) == 64
    assert all(MICRO.check(spec) for spec in MICRO.unpack(specs))
