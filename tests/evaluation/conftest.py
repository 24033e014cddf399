"""Stores with runs of made-up tasks, and a predictor that learned from some of them."""

import pytest

from dass_ray.predictor import make as module

from .. import make_task
from ..home import Home
from ..make import KD
from ..predictor import make

VALUES = [0.3, 0.8, 0.5, 0.6, 0.1, 0.9]
SHORT = KD.model_copy(update={"epochs": 1, "min_steps": 0})


class Told:
    """A watcher that remembers."""

    def __init__(self):
        self.phases, self.steps = [], []

    def phase(self, name, total):
        self.phases.append((name, total))
        self.steps.append([])

    def step(self, done, _note):
        self.steps[-1].append(done)


@pytest.fixture
def told():
    return Told()


@pytest.fixture(scope="session")
def filled():
    """Runs of the tasks a, b and, with two seeds and a short KD, c; see `store`."""
    home = Home()
    for i, name in enumerate("abc"):
        make_task.stored(home, name, seed=i)
        home.teacher(f"of {name}", seed=i, data=name)
        home.runs(VALUES, teacher=f"of {name}", data=name)
    home.runs([v + 0.01 * i for i, v in enumerate(VALUES)], teacher="of c", data="c", seed=1)
    home.runs(VALUES[::-1], teacher="of c", data="c", recipe=SHORT.model_dump_json(), seconds=0.5)
    return home


@pytest.fixture(scope="session")
def learned(filled, tmp_path_factory):
    """The same with a predictor of a, chosen by b."""
    config = make.config(episodes=10, encodings=make.EVERY, adaptation="none")
    folder = tmp_path_factory.mktemp("embeddings")
    module.make(filled, config, "the command", folder, Told())
    return filled


@pytest.fixture
def store(learned):
    """A copy of it, to be written to."""
    home = Home()
    home.objects = dict(learned.objects)
    return home
