import dataclasses

import pytest
import torch
from torch.func import functional_call

from dass_ray.errors import UserError
from dass_ray.predictor import meta_train as module
from dass_ray.predictor.meta_train import meta_train, spearman
from dass_ray.predictor.model import adapt

from . import make

TRAIN = 4
LEARN = {
    "members": 1, "episodes": 60, "validate_every": 20, "lr": 0.02, "inner_lr": 0.001,
    "hidden": 16, "queries": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def train():
    return [make.runs(f"task {seed}", seed, noise=0.01) for seed in range(TRAIN)]


@pytest.fixture(scope="module")
def unseen():
    return [make.runs(f"unseen {seed}", seed) for seed in (100, 101)]


def same(a, b):
    pairs = ((a.predictor.params, b.predictor.params), (a.predictor.rates, b.predictor.rates))
    return all(torch.equal(x[name], y[name]) for x, y in pairs for name in x)


def test_learns_to_rank_the_students_of_unseen_tasks(train, unseen):
    found = meta_train(train, unseen, make.config(**LEARN))
    assert found.validation.keys() == {"unseen 100", "unseen 101"}
    assert min(found.validation.values()) > 0.8
    scores = found.predictor.adapted(unseen[0].task).score(unseen[0].students).mean
    assert (scores - unseen[0].accuracy).abs().mean() < unseen[0].accuracy.std() / 2


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
    assert not same(first, meta_train(train, unseen, make.config(seed=4)))
    starts = [module._start(train[0], make.config(seed=seed))[1]["mix.weight"] for seed in (3, 4)]
    assert not torch.equal(*starts)


def test_members_differ(train, unseen):
    params = meta_train(train, unseen, make.config(members=3)).predictor.params
    for value in params.values():
        assert len(value) == 3
        assert not torch.equal(value[0], value[1])


def test_step_sizes_are_learned(train, unseen):
    config = make.config(inner_lr=0.02, lr=1e-4, episodes=5, validate_every=5)
    rates = meta_train(train, unseen, config).predictor.rates
    values = torch.cat([value.reshape(-1) for value in rates.values()])
    assert 0 < (values - 0.02).abs().max() < 0.001  # five steps of Adam
    assert len(values.unique()) > len(values) / 4


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


def test_divergence_is_an_error_that_says_what_to_do(train, unseen):
    with pytest.raises(UserError, match="diverged in episode 2: lower lr or inner_lr"):
        meta_train(train, unseen, make.config(lr=1e30))


def test_the_loss_equals_a_loop_over_members_and_tasks(train):
    config = make.config(members=3, queries=6, seed=5)
    net, params, rates = module._start(train[0], config)
    scale = 0.05
    found = module._Episodes(train, scale, config).loss(net, params, rates)
    maps, vectors, targets = module._Episodes(train, scale, config)._draw()  # the same queries
    assert targets.shape == (TRAIN, 6)
    total = torch.zeros(())
    for m in range(3):
        p, r = ({name: value[m] for name, value in group.items()} for group in (params, rates))
        for t, runs in enumerate(train):
            inner = adapt(net, p, r, runs.task.teacher)
            out = functional_call(net, inner, (maps[t], vectors[t], runs.task.teacher.maps))
            total += (out - targets[t]).square().mean() / TRAIN
    assert found.item() == pytest.approx(total.item(), rel=1e-5)


def test_queries_are_different_students_with_their_own_accuracies(train):
    episodes = module._Episodes(train, 0.1, make.config(queries=1000))
    first, again = episodes._draw(), episodes._draw()
    assert first[1].shape == (TRAIN, 24, 8)  # no more than there are
    assert not torch.equal(first[1], again[1])
    for t, runs in enumerate(train):
        accuracies = torch.sigmoid(torch.logit(torch.tensor(0.9)) + 0.1 * first[2][t])
        rows = torch.cat([first[1][t], accuracies[:, None]], dim=1)
        known = torch.cat([runs.students.vectors, runs.accuracy[:, None]], dim=1)
        order = [int((known - row).abs().sum(dim=1).argmin()) for row in rows]
        assert torch.allclose(rows, known[order], atol=1e-5)
        assert torch.equal(first[0][t], runs.students.maps[order])


def test_a_task_with_fewer_students_shows_some_of_them_again(train):
    few = make.runs("few", seed=9, students=5)
    _, vectors, targets = module._Episodes([*train, few], 0.1, make.config(queries=12))._draw()
    assert vectors.shape[:2] == targets.shape == (TRAIN + 1, 12)
    assert len(targets[-1].unique()) == len(few.accuracy.unique())
    counts = torch.bincount(torch.unique(targets[-1], return_inverse=True)[1])
    assert counts.sum() == 12
    assert len(targets[0].unique()) == 12


def test_the_unit_is_the_deviation_of_a_task(train, unseen):
    found = meta_train(train, unseen, make.config())
    expected = sum(float(torch.logit(runs.accuracy).std()) for runs in train) / TRAIN
    assert found.predictor.scale == pytest.approx(expected)


def ranked(scores, accuracies, runs):
    """Spearman of given scores and accuracies."""
    runs = dataclasses.replace(runs, accuracy=torch.tensor(accuracies))
    return spearman(make.Fixed(scores), runs)


def test_spearman_by_hand(unseen):
    found = ranked([0.1, 0.4, 0.2, 0.3], [0.5, 0.9, 0.8, 0.6], unseen[0])
    assert found == pytest.approx(1 - 6 * 2 / (4 * 15))  # ranks 1 4 2 3 and 1 4 3 2


def test_equal_values_rank_nothing(unseen):
    assert ranked([0.1, 0.1, 0.1], [0.5, 0.9, 0.8], unseen[0]) == 0
    assert ranked([0.1, 0.2, 0.3], [0.5, 0.5, 0.5], unseen[0]) == 0
