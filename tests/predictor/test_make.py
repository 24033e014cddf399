import pytest
import torch

from dass_ray.errors import UserError
from dass_ray.predictor import checkpoint, resume
from dass_ray.predictor import make as module

from ..home import Home
from ..make import TINY
from . import make

CONFIG = make.config(episodes=10, validate_every=5)


class Told:
    def __init__(self, stop_at=None):
        self.phases, self.steps, self.stop_at = [], [], stop_at

    def phase(self, name, total):
        self.phases.append((name, total))

    def step(self, done, note):
        self.steps.append((done, note))
        if len(self.phases) == 2 and done == self.stop_at:
            raise InterruptedError


@pytest.fixture
def store():
    home = Home()
    for i, name in enumerate("ab"):
        home.teacher(f"of {name}", seed=i, data=name)
        home.runs([0.3, 0.8, 0.5, 0.6, 0.1, 0.9], teacher=f"of {name}", data=name)
    return home


def made(store, folder, config=CONFIG, told=None):
    return module.make(store, config, "the command", folder, told or Told())


def test_from_runs_to_a_predictor_in_the_store(store, tmp_path):
    told = Told()
    card = made(store, tmp_path, told=told)
    loaded, predictor = checkpoint.load(store, "small", TINY)
    assert loaded == card
    assert card.runs == {"a/of a": 6}
    assert list(card.validation) == ["b/of b"]
    assert card.command == "the command"
    assert set(predictor.intervals.factors) == {0.5, 0.8, 0.9, 0.95}
    assert told.phases == [("encoding students", 12), ("meta-training (episodes)", 10)]
    assert [done for done, _ in told.steps] == [6, 12, 5, 10]
    assert told.steps[-1][1].startswith("best validation Spearman ")


def test_goes_on_where_it_was_stopped(store, tmp_path, monkeypatch):
    monkeypatch.setattr(resume, "INTERVAL_S", 0)
    monkeypatch.setattr(module, "StoreStates", lambda *a: resume.StoreStates(*a, interval_s=0))
    with pytest.raises(InterruptedError):
        made(store, tmp_path, told=Told(stop_at=5))
    assert len(store.list("checkpoints")) == 1
    told = Told()
    card = made(store, tmp_path, told=told)
    assert [done for done, _ in told.steps] == [6, 12, 10]
    assert store.list("checkpoints") == []
    other = Home()
    other.objects = {k: v for k, v in store.objects.items() if not k.startswith("predictors")}
    whole = made(other, tmp_path)
    assert whole.fingerprint == card.fingerprint


def test_other_runs_are_another_training(store):
    tasks = module.task_ledgers(store, ["a"], TINY)
    same = module.task_ledgers(store, ["a"], TINY)
    before = module._identity(CONFIG, tasks)
    assert module._identity(CONFIG, same) == before
    assert module._identity(CONFIG.model_copy(update={"store": "else"}), tasks) == before
    assert module._identity(CONFIG.model_copy(update={"lr": 0.5}), tasks) != before
    store.runs([0.4], teacher="of a", data="a", seed=1)
    assert module._identity(CONFIG, module.task_ledgers(store, ["a"], TINY)) != before


def test_a_taken_name_is_refused_before_any_work(store, tmp_path):
    made(store, tmp_path)
    told = Told()
    with pytest.raises(UserError, match="a predictor called 'small' already"):
        made(store, tmp_path, told=told)
    assert told.phases == []


def test_teachers_that_are_left_out(store, tmp_path):
    store.teacher("second", seed=5, data="a")
    store.runs([0.4, 0.5, 0.6], teacher="second", data="a")
    card = made(store, tmp_path, make.config(episodes=5, without_teachers=("of a",)))
    assert card.runs == {"a/second": 3}
    assert torch.isfinite(torch.tensor(list(card.validation.values()))).all()
