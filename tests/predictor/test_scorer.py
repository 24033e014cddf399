from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.special import logit

from dass_ray.cost import cost
from dass_ray.predictor.encode import encode_students, encode_task
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
    adapted = predictor.adapted(encode_task(teacher, 0.8))
    expected = adapted.score(encode_students(teacher, SPECS))
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
    wild = replace(predictor, scale=1e4)
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
