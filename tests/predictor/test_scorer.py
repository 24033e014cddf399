from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.special import logit

from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.predictor import scorer as module
from dass_ray.predictor.encode import TaskEncoder
from dass_ray.predictor.meta_train import meta_train
from dass_ray.predictor.scorer import TaskScorer

from .. import make_task
from ..make import TINY
from . import make

SPECS = TINY.sample(9, np.random.default_rng(0))


@pytest.fixture(scope="module")
def predictor():
    task = make.runs()
    return meta_train([task], [task], make.config(episodes=2)).predictor


def test_columns_are_those_of_predictor_and_cost(predictor, teacher):
    scored = TaskScorer(predictor, teacher, 0.8).score(SPECS)
    encoder = TaskEncoder(teacher, 0.8, TINY, make.PAPER)
    expected = predictor.adapted(encoder.task).score(encoder.students(SPECS))
    assert scored.predicted == pytest.approx(expected.mean.numpy())
    assert scored.uncertainty == pytest.approx(expected.std.numpy())
    assert scored.predicted.dtype == scored.uncertainty.dtype == np.float64
    costs = cost(TINY, SPECS, 3)
    assert scored.params.tolist() == costs.params.tolist()
    assert scored.flops.tolist() == costs.flops.tolist()


def test_scores_do_not_depend_on_the_batch(predictor, teacher):
    scorer = TaskScorer(predictor, teacher, 0.8)
    whole, turned = scorer.score(SPECS), scorer.score(SPECS[::-1].copy())
    assert turned.predicted[::-1] == pytest.approx(whole.predicted, abs=1e-6)
    assert turned.params[::-1].tolist() == whole.params.tolist()
    assert scorer.score(SPECS[4:5]).predicted == pytest.approx(whole.predicted[4:5], abs=1e-6)


def test_predictions_are_relative_to_the_teachers_accuracy(predictor, teacher):
    """In log-odds; one member, since a mean over several is taken after their sigmoid."""
    one = replace(predictor, params=first(predictor.params), rates=first(predictor.rates))
    low, high = (TaskScorer(one, teacher, a).score(SPECS).predicted for a in (0.3, 0.8))
    assert logit(high) - logit(low) == pytest.approx(np.full(9, logit(0.8) - logit(0.3)), abs=1e-5)


def first(group):
    return {name: value[:1] for name, value in group.items()}


def test_no_prediction_leaves_0_to_1(predictor, teacher):
    wild = replace(predictor, units=replace(predictor.units, scale=1e4))
    predicted = TaskScorer(wild, teacher, 0.8).score(SPECS).predicted
    assert ((predicted >= 0) & (predicted <= 1)).all()


def test_the_teacher_is_put_in_eval_mode(predictor, teacher):
    net = make_task.teacher().train()
    state = {name: value.clone() for name, value in net.state_dict().items()}
    scored = TaskScorer(predictor, net, 0.8).score(SPECS)
    assert scored.predicted == pytest.approx(
        TaskScorer(predictor, teacher, 0.8).score(SPECS).predicted
    )
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())


def test_verified_students_are_learned_from_and_forgotten(predictor, teacher):
    scorer, none = TaskScorer(predictor, teacher, 0.8), np.zeros((0, *SPECS.shape[1:]), SPECS.dtype)
    before = scorer.score(SPECS).predicted
    scorer.readapt(SPECS[:3], np.array([0.2, 0.25, 0.3]))
    told = scorer.score(SPECS).predicted
    assert (told < before).all()  # all are worse than was thought
    assert np.abs(told[:3] - 0.25).mean() < np.abs(before[:3] - 0.25).mean()
    scorer.readapt(none, np.array([]))
    assert scorer.score(SPECS).predicted == pytest.approx(before)


def test_a_predictor_that_sees_images():
    task = make.runs(encodings=make.EVERY)
    config = make.config(episodes=2, encodings=make.EVERY)
    predictor = meta_train([task], [task], config).predictor
    data = make_task.dataset()
    found = TaskScorer(predictor, make_task.teacher(), 0.9, data).score(TINY.pack([TINY.teacher]))
    expected = predictor.adapted(task.task).score(task.task.teacher)
    assert found.predicted == pytest.approx(expected.mean.numpy(), abs=1e-5)


BRIEF = torch.bfloat16


def test_bfloat16_scores_like_float32(predictor, teacher, monkeypatch):
    monkeypatch.setattr(module, "AGREEMENT", 0.9)
    exact, short = (
        TaskScorer(predictor, teacher, 0.8, dtype=dtype) for dtype in (torch.float32, BRIEF)
    )
    assert (exact.encoder.dtype, short.encoder.dtype) == (torch.float32, BRIEF)
    found, expected = short.score(SPECS), exact.score(SPECS)
    assert not np.array_equal(found.predicted, expected.predicted)  # it is really used
    assert found.predicted == pytest.approx(expected.predicted, abs=0.01)
    assert found.params.tolist() == expected.params.tolist()


def test_bfloat16_is_refused_where_it_changes_the_ranking(predictor, teacher, monkeypatch):
    monkeypatch.setattr(module, "AGREEMENT", 1.0)
    message = (
        r"^bfloat16 ranks students .* float32 \(Spearman [01]\.\d{4}\): set precision: float32$"
    )
    with pytest.raises(UserError, match=message):
        TaskScorer(predictor, teacher, 0.8, dtype=BRIEF)


@pytest.mark.parametrize(("told", "refused"), [(0.9989, True), (0.9991, False)])
def test_how_much_the_rankings_must_agree(predictor, teacher, monkeypatch, told, refused):
    def agree(a, b):
        assert len(a) == len(b) == 128
        return SimpleNamespace(statistic=told)

    monkeypatch.setattr(scipy.stats, "spearmanr", agree)
    if refused:
        with pytest.raises(UserError, match=r"Spearman 0\.9989"):
            TaskScorer(predictor, teacher, 0.8, dtype=BRIEF)
    else:
        assert TaskScorer(predictor, teacher, 0.8, dtype=BRIEF).encoder.dtype == BRIEF


def test_scores_that_are_all_equal_are_refused(predictor, teacher, monkeypatch):
    """Their rank correlation is no number."""
    monkeypatch.setattr(scipy.stats, "spearmanr", lambda _a, _b: SimpleNamespace(statistic=np.nan))
    with pytest.raises(UserError, match="set precision: float32"):
        TaskScorer(predictor, teacher, 0.8, dtype=BRIEF)


def test_float32_is_compared_with_nothing(predictor, teacher, monkeypatch):
    monkeypatch.setattr(scipy.stats, "spearmanr", None)
    TaskScorer(predictor, teacher, 0.8)


def test_what_is_verified_is_learned_in_bfloat16_too(predictor, teacher, monkeypatch):
    monkeypatch.setattr(module, "AGREEMENT", 0.9)
    found, exact = (
        TaskScorer(predictor, teacher, 0.8, dtype=dtype) for dtype in (BRIEF, torch.float32)
    )
    for scorer in (found, exact):
        scorer.readapt(SPECS[:3], np.array([0.2, 0.25, 0.3]))
    assert found.score(SPECS).predicted == pytest.approx(exact.score(SPECS).predicted, abs=0.02)
