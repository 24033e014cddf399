import dataclasses

import pytest
import torch

from dass_ray.config import Encodings
from dass_ray.predictor import meta_train as module
from dass_ray.predictor.meta_train import meta_train, spearman
from dass_ray.predictor.model import Scores

from . import make

TRAIN = 4
LEARN = {
    "members": 1, "episodes": 60, "validate_every": 20, "lr": 0.02, "inner_lr": 0.001,
    "hidden": 16, "queries": 20,
}  # fmt: skip
WAYS = {
    "the paper's": {},
    "first order": {"adaptation": "first"},
    "no adaptation": {"adaptation": "none"},
    "pairwise": {"ranking": "pairwise", "normalise": "task"},
    "listwise": {"ranking": "listwise"},
    "teacher's unit": {"normalise": "teacher"},
    "support": {"support": 5, "learning": "gradient"},
}


@pytest.fixture(scope="module")
def train():
    return [make.runs(f"task {seed}", seed, noise=0.01) for seed in range(TRAIN)]


@pytest.fixture(scope="module")
def unseen():
    return [make.runs(f"unseen {seed}", seed) for seed in (100, 101)]


def same(a, b):
    pairs = ((a.predictor.params, b.predictor.params), (a.predictor.rates, b.predictor.rates))
    return all(torch.equal(x[name], y[name]) for x, y in pairs for name in x)


@pytest.mark.parametrize("way", WAYS)
def test_learns_to_rank_the_students_of_unseen_tasks(train, unseen, way):
    found = meta_train(train, unseen, make.config(**LEARN | WAYS[way]))
    assert found.validation.keys() == {"unseen 100", "unseen 101"}
    assert min(found.validation.values()) > 0.8
    scores = found.predictor.adapted(unseen[0].task).score(unseen[0].students).mean
    assert (scores - unseen[0].accuracy).abs().mean() < unseen[0].accuracy.std() / 2


@pytest.mark.parametrize(
    "encodings",
    [Encodings(signals=()), Encodings(), Encodings(student=True), make.EVERY],
    ids=["summary", "signals too", "S without T", "every input"],
)
def test_learns_from_other_inputs(encodings):
    train, (unseen,) = (
        [make.runs(seed=seed, encodings=encodings) for seed in seeds]
        for seeds in (range(TRAIN), [100])
    )
    settings = LEARN | {"adaptation": "none", "encodings": encodings}
    found = meta_train(train, [unseen], make.config(**settings))
    assert min(found.validation.values()) > 0.8


def test_without_a_relation_there_is_nothing_to_learn(unseen):
    """The other test can fail: shuffled accuracies of the training tasks teach no ranking."""
    tasks = [make.runs(seed=seed, students=40) for seed in range(TRAIN)]
    order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    tasks = [
        dataclasses.replace(runs, accuracy=runs.accuracy[order.roll(i)])
        for i, runs in enumerate(tasks)
    ]
    found = meta_train(tasks, unseen, make.config(**LEARN))
    assert max(found.validation.values()) < 0.8


def test_the_seed_decides(train, unseen):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = meta_train(train, unseen, make.config(seed=3))
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again = meta_train(train, unseen, make.config(seed=3))
    assert same(first, again)
    assert (first.episode, first.validation) == (again.episode, again.validation)
    assert first.predictor.intervals == again.predictor.intervals
    assert not same(first, meta_train(train, unseen, make.config(seed=4)))


@pytest.fixture
def ranks(monkeypatch):
    """Validation results to be given one after the other, whatever was learned."""
    told = []
    monkeypatch.setattr(module, "spearman", lambda _predictor, _runs: told.pop(0))
    return told


def test_the_best_checkpoint_is_kept(train, unseen, ranks):
    ranks += [0.1, 0.5, 0.3, 0.5, 0.2]
    progress = []
    config = make.config(episodes=25, validate_every=5)
    found = meta_train(train, unseen[:1], config, lambda *facts: progress.append(facts))
    assert (found.episode, found.validation) == (10, {"unseen 100": 0.5})
    assert progress == [(5, 0.1), (10, 0.5), (15, 0.5), (20, 0.5), (25, 0.5)]
    ranks += [0.0]
    assert same(found, meta_train(train, unseen[:1], make.config(episodes=10, validate_every=10)))


def test_validation_is_the_mean_over_tasks(train, unseen, ranks):
    ranks += [0.9, 0.0, 0.5, 0.5]
    found = meta_train(train, unseen, make.config(episodes=10, validate_every=5))
    assert found.episode == 10
    assert found.validation == {"unseen 100": 0.5, "unseen 101": 0.5}


def test_the_last_episode_is_validated(train, unseen, ranks):
    ranks += [0.1, 0.2]
    found = meta_train(train, unseen[:1], make.config(episodes=7, validate_every=5))
    assert found.episode == 7


def test_stops_where_nothing_gets_better(train, unseen, ranks):
    ranks += [0.1, 0.5, 0.4, 0.3, 0.2, 0.1]
    progress = []
    config = make.config(episodes=1000, validate_every=5, patience=10)
    found = meta_train(train, unseen[:1], config, lambda *facts: progress.append(facts[0]))
    assert found.episode == 10
    assert progress == [5, 10, 15, 20]


class Fixed:
    """A predictor that gives these scores, whatever the task."""

    def __init__(self, scores):
        self.scores = Scores(torch.as_tensor(scores), torch.zeros(len(scores)))

    def adapted(self, _task):
        return self

    def score(self, _students):
        return self.scores


def ranked(scores, accuracies, runs):
    """Spearman of given scores and accuracies."""
    runs = dataclasses.replace(runs, accuracy=torch.tensor(accuracies))
    return spearman(Fixed(scores), runs)


def test_spearman_by_hand(unseen):
    found = ranked([0.1, 0.4, 0.2, 0.3], [0.5, 0.9, 0.8, 0.6], unseen[0])
    assert found == pytest.approx(1 - 6 * 2 / (4 * 15))  # ranks 1 4 2 3 and 1 4 3 2


def test_equal_values_rank_nothing(unseen):
    assert ranked([0.1, 0.1, 0.1], [0.5, 0.9, 0.8], unseen[0]) == 0
    assert ranked([0.1, 0.2, 0.3], [0.5, 0.5, 0.5], unseen[0]) == 0
