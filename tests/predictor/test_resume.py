import numpy as np
import pytest
import torch

from dass_ray.predictor import meta_train as module
from dass_ray.predictor.meta_train import meta_train
from dass_ray.predictor.resume import KEPT, StoreStates

from ..make import Memory
from . import make


@pytest.fixture(scope="module")
def tasks():
    return [make.runs(f"task {seed}", seed) for seed in range(3)]


CONFIG = make.config(episodes=20, validate_every=5, patience=15)


class Stopped(Exception):
    """The process is lost."""


def stopped_at(episode):
    def on_progress(done, _best):
        if done == episode:
            raise Stopped

    return on_progress


def trained(tasks, states=None, on_progress=None, config=CONFIG):
    return meta_train(tasks[:2], tasks[2:], config, on_progress, states)


def same(a, b):
    groups = [(a.predictor.params, b.predictor.params), (a.predictor.rates, b.predictor.rates)]
    equal = all(torch.equal(x[name], y[name]) for x, y in groups for name in x)
    return equal and (a.episode, a.validation) == (b.episode, b.validation)


@pytest.mark.parametrize("episode", [5, 10, 15])
def test_goes_on_to_the_same_result(tasks, episode, monkeypatch):
    store, steps = Memory(), []
    with pytest.raises(Stopped):
        trained(tasks, StoreStates(store, "key", 0), stopped_at(episode))
    plain = module.Learner.step

    def step(learner, number):
        steps.append(number)
        return plain(learner, number)

    monkeypatch.setattr(module.Learner, "step", step)
    found = trained(tasks, StoreStates(store, "key", 0))
    assert steps == list(range(episode + 1, 21))
    monkeypatch.undo()
    whole = trained(tasks)
    assert same(found, whole)
    assert found.predictor.intervals == whole.predictor.intervals


def test_patience_survives(tasks, monkeypatch):
    told = iter([0.5, 0.4, 0.3, 0.2])
    monkeypatch.setattr(module, "spearman", lambda *_: next(told))
    store, config = Memory(), make.config(episodes=100, validate_every=5, patience=15)
    with pytest.raises(Stopped):
        trained(tasks, StoreStates(store, "key", 0), stopped_at(10), config)
    found = trained(tasks, StoreStates(store, "key", 0), None, config)
    assert (found.episode, next(told, "none left")) == (5, "none left")


def test_a_training_that_is_over_is_not_trained_again(tasks, monkeypatch):
    store = Memory()
    whole = trained(tasks, StoreStates(store, "key", 0))
    monkeypatch.setattr(module.Learner, "step", lambda *_: pytest.fail("trained again"))
    assert same(trained(tasks, StoreStates(store, "key", 0)), whole)


def test_few_states_are_kept_and_none_at_the_end(tasks):
    store = Memory()
    states = StoreStates(store, "key", 0)
    trained(tasks, states)
    expected = [f"checkpoints/key/{n:08d}.safetensors" for n in (15, 20)]
    assert store.list("") == expected
    assert len(expected) == KEPT
    states.clear()
    assert store.list("") == []


def test_states_are_kept_no_more_often_than_asked(tasks):
    store = Memory()
    trained(tasks, StoreStates(store, "key", 3600))
    assert store.list("") == []


def test_other_trainings_do_not_mix(tasks):
    store = Memory()
    trained(tasks, StoreStates(store, "key", 0))
    other = trained(tasks, StoreStates(store, "other", 0), config=make.config(seed=1))
    assert same(other, trained(tasks, config=make.config(seed=1)))
    assert np.isfinite(list(other.validation.values())).all()
