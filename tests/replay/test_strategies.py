import numpy as np
import pytest
from optuna.samplers import RandomSampler

from dass_ray.errors import UserError
from dass_ray.replay.strategies import SAMPLERS, by_score, factory, names

from .conftest import N


@pytest.fixture(scope="module")
def task(recorded):
    return recorded.chosen(["new"])[0]


def order(strategy, accuracy):
    seen = {}
    for _ in range(len(accuracy)):
        chosen = strategy(dict(seen))
        assert chosen not in seen
        seen[chosen] = float(accuracy[chosen])
    return list(seen)


def test_a_score_is_followed_from_high_to_low():
    assert order(by_score(np.array([0.1, 0.7, 0.7, 0.9])), np.zeros(4)) == [3, 1, 2, 0]


@pytest.mark.parametrize("name", [*SAMPLERS, "optuna.samplers:TPESampler"])
def test_a_sampler_names_every_student_once_and_the_same_for_the_same_seed(task, name):
    make = factory(name)
    found = order(make(task, 3), task.mean)
    assert sorted(found) == list(range(N))
    assert order(make(task, 3), task.mean) == found


TOLD = []


class Listening(RandomSampler):
    def after_trial(self, study, trial, state, values):
        TOLD.append(values)


def test_a_sampler_is_told_what_its_students_reached(task):
    strategy, seen = factory(f"{__name__}:Listening")(task, 0), {}
    for i in range(5):
        seen[strategy(dict(seen))] = i / 10
    assert {value for [value] in TOLD} == {0.0, 0.1, 0.2, 0.3}


def by_number(task, _seed):
    return len


def test_a_function_of_ones_own(task):
    assert order(factory(f"{__name__}:by_number")(task, 0), task.mean) == list(range(N))


def test_what_there_is_not_is_said(task):
    with pytest.raises(UserError, match=r"has no 'nwott': choose of guided, .*nwot, predictor"):
        factory("nwott")(task, 0)
    with pytest.raises(UserError, match="cannot import 'nowhere:it'"):
        factory("nowhere:it")
    with pytest.raises(UserError, match="cannot import 'math:it'"):
        factory("math:it")


def test_every_name_can_be_made(task):
    for name in names(task):
        assert 0 <= factory(name)(task, 0)({}) < N
