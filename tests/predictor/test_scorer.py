from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logit

from dass_ray.cost import cost
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
