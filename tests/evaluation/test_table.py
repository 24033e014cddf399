import dataclasses
import io
from dataclasses import asdict

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import kendalltau, spearmanr

from dass_ray.evaluation.bootstrap import interval, resamples
from dass_ray.evaluation.metrics import spearman
from dass_ray.evaluation.rankings import Ranking, Truth
from dass_ray.evaluation.table import Evaluation, evaluation, to_parquet

N = 24
RNG = np.random.default_rng(0)
REAL = {"a": RNG.normal(0.6, 0.05, (2, N)), "b": RNG.normal(0.3, 0.1, (1, N))}
REAL["a"][1] = REAL["a"][0] + RNG.normal(0, 0.02, N)
TRUTHS = [Truth(name, values, np.arange(N) + 100) for name, values in REAL.items()]


def ranking(task, method="ours", group="ours", noise=0.05, repeats=1, given=0, **facts):
    """A truth with noise; the first `given` students are those that the method was given."""
    rng = np.random.default_rng(len(method))
    real = REAL[task].mean(axis=0)
    scores = real + noise * rng.normal(size=(repeats, N))
    scores[:, :given] = np.nan
    if group == "ours":
        facts |= {"low": real - 0.01, "high": real + np.where(np.arange(N) < 18, 0.01, -0.005)}
    return Ranking(method, group, task, scores, 0.25, **facts)


EVERY = [
    *(ranking(task) for task in "ab"),
    *(ranking(task, "rival", "no KD", noise=0.5) for task in "ab"),
    *(ranking(t, "fit", "KD on target", repeats=3, given=5, target_seconds=10.0) for t in "ab"),
]


@pytest.fixture(scope="module")
def found() -> Evaluation:
    return evaluation(TRUTHS, EVERY, "ours", k=4)


def row(found, method, task=""):
    (only,) = [r for r in found.rows if (r.method, r.task) == (method, task)]
    return only


def test_what_is_given_ranks_nothing():
    """With few students left, k is half of those; the worst ranking has the worst figures."""
    worst = ranking("b", "worst", noise=0.0, given=N - 6)
    worst = dataclasses.replace(worst, scores=-worst.scores)
    found = row(evaluation(TRUTHS, [worst, EVERY[1]], "ours", k=5), "worst", "b")
    left = np.sort(REAL["b"][0][-6:])
    assert found.students == 6
    assert found.precision == 0
    assert found.regret == pytest.approx(left[-1] - left[2])


def test_figures_of_a_task(found):
    mine, real = row(found, "ours", "b"), REAL["b"][0]
    scores = EVERY[1].scores[0]
    assert mine.spearman == pytest.approx(spearmanr(scores, real).statistic)
    assert mine.kendall == pytest.approx(kendalltau(scores, real).statistic)
    first, best = np.argsort(-scores)[:4], np.argsort(-real)[:4]
    assert mine.precision == len(set(first) & set(best)) / 4
    assert mine.regret == pytest.approx(real.max() - real[first].max())
    assert mine.coverage == pytest.approx(18 / 24)
    assert (mine.students, mine.seconds, mine.target_seconds) == (N, 0.25, 0)


def test_strata_are_of_equal_size(found):
    mine, real, scores = row(found, "ours", "b"), REAL["b"][0], EVERY[1].scores[0]
    parts = [slice(0, 8), slice(8, 16), slice(16, 24)]  # params grow with the index
    expected = np.mean([spearmanr(scores[p], real[p]).statistic for p in parts])
    assert mine.strata == pytest.approx(expected)


def test_repeats_are_averaged_without_the_given_students(found):
    fit, scores = row(found, "fit", "a"), EVERY[4].scores
    real = REAL["a"].mean(axis=0)
    each = [spearmanr(one[5:], real[5:]).statistic for one in scores]
    assert fit.spearman == pytest.approx(np.mean(each))
    assert fit.students == N - 5
    assert np.isnan(fit.strata)
    assert fit.coverage is None


def test_the_mean_weighs_tasks_alike(found):
    for name in ("spearman", "kendall", "precision", "regret", "seconds", "target_seconds"):
        each = [getattr(row(found, "fit", task), name) for task in "ab"]
        assert getattr(row(found, "fit"), name) == pytest.approx(np.mean(each))
    assert row(found, "ours").coverage == pytest.approx(0.75)


def test_behind_is_paired(found):
    """The same resamples for both: ours less ours is zero in each of them."""
    mine, rival = row(found, "ours"), row(found, "rival")
    assert (mine.behind, mine.behind_low, mine.behind_high) == (0, 0, 0)
    assert rival.behind == pytest.approx(mine.spearman - rival.spearman)
    assert rival.behind_low < rival.behind < rival.behind_high
    assert row(found, "rival", "a").behind is None


def test_interval_is_of_resampled_students(found):
    mine, real = row(found, "ours", "b"), REAL["b"][0]
    chosen = resamples(N, 1000, seed=99)
    low, high = interval(spearman(EVERY[1].scores[0][chosen], real[chosen]))
    assert (mine.spearman_low, mine.spearman_high) == pytest.approx((low, high), abs=0.05)


def test_resamples_of_tasks_are_apart():
    """Two tasks alike in every figure narrow the interval as two, not as one."""
    twins = [Truth(name, REAL["b"], np.arange(N)) for name in ("b", "c", "d", "e")]
    ours = [Ranking("ours", "ours", t.task, EVERY[1].scores, 0.0, low=REAL["b"][0],
                    high=REAL["b"][0]) for t in twins]  # fmt: skip
    found = evaluation(twins, ours, "ours")
    wide, narrow = (r.spearman_high - r.spearman_low for r in (found.rows[1], found.rows[0]))
    assert narrow == pytest.approx(wide / 2, rel=0.2)


def test_ceilings_are_of_tasks_with_two_seeds(found):
    assert [c.task for c in found.ceilings] == ["a"]
    mine = row(found, "ours", "a")
    assert mine.of_ceiling == pytest.approx(mine.spearman / found.ceilings[0].reachable)
    assert row(found, "ours", "b").of_ceiling is None
    assert row(found, "ours").of_ceiling is None
    (alone,) = [
        r for r in evaluation(TRUTHS[:1], EVERY[:1], "ours").rows if r.task == ""
    ]  # fmt: skip
    assert alone.of_ceiling == mine.of_ceiling


def test_points_are_ours_beside_real_kd(found):
    assert [points.task for points in found.scatter] == ["a", "b"]
    assert found.scatter[1].real == tuple(REAL["b"][0])
    assert found.scatter[1].predicted == tuple(EVERY[1].scores[0])
    assert found.scatter[1].low == tuple(EVERY[1].low)


def test_k_is_at_most_half_of_the_students():
    few = Truth("a", REAL["a"][:, :6], np.arange(6))
    mine = Ranking("ours", "ours", "a", -few.mean[None], 0.0, low=few.mean, high=few.mean)
    (found,) = {r.precision for r in evaluation([few], [mine], "ours", k=5).rows}
    assert found == 0  # the first three of six are the worst three


def test_parquet_has_every_row(found):
    rows = pq.read_table(io.BytesIO(to_parquet(found))).to_pylist()
    assert [r["method"] for r in rows] == [r.method for r in found.rows]
    assert rows[0] == asdict(found.rows[0])
