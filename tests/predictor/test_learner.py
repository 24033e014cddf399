import pytest
import torch

from dass_ray.errors import UserError
from dass_ray.predictor import learner as module
from dass_ray.predictor.learner import Learner
from dass_ray.predictor.losses import outer_loss

from . import make


@pytest.fixture(scope="module")
def train():
    return [make.runs(f"task {seed}", seed, noise=0.01) for seed in range(3)]


def state(learner):
    return torch.cat([v.flatten() for v in (*learner.params.values(), *learner.rates.values())])


@pytest.mark.parametrize("order", ["second", "first", "none"])
def test_the_loss_goes_down(train, order):
    learner = Learner(train, make.config(adaptation=order, seed=1))
    first = learner.step(1)
    for _ in range(40):
        last = learner.step(1)
    assert last < first / 2


def test_chunks_of_tasks_do_not_matter(train, monkeypatch):
    found = []
    for cache in (2**22, 1):
        monkeypatch.setattr(module, "CACHE", cache)
        learner = Learner(train, make.config())
        assert learner.chunk == (1 if cache == 1 else 2**22 // (len(state(learner)) // 2))
        found.append((learner.step(1), state(learner)))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    assert torch.allclose(found[0][1], found[1][1], atol=1e-5)


def test_a_member_learns_as_if_alone(train):
    """The sum over members is what is differentiated: more of them change no one's gradient."""
    learner = Learner(train, make.config(members=3))
    (part,) = learner.episodes.draw(1, 3)
    _, found, _ = learner.gradient(part)
    learner.params = {name: value[1:2] for name, value in learner.params.items()}
    learner.rates = {name: value[1:2] for name, value in learner.rates.items()}
    _, alone, _ = learner.gradient(part)
    for name, value in alone.items():
        assert torch.allclose(found[name][1], value[0], atol=1e-6), name


@pytest.mark.parametrize("ranking", ["none", "pairwise", "listwise"])
def test_the_loss_is_the_mean_over_tasks_and_members(train, ranking):
    config = make.config(members=3, adaptation="none", ranking=ranking, ranking_weight=0.7)
    learner = Learner(train, config)
    (part,) = learner.episodes.draw(1, 3)
    params = {name: value[:, None].expand(-1, 3, *value.shape[1:])
              for name, value in learner.params.items()}  # fmt: skip
    out = learner.net(params, part.support.tasks, part.queries)
    expected = outer_loss(out, part.targets, ranking, 0.7).mean()
    assert learner.step(1) == pytest.approx(expected.item(), rel=1e-5)


def test_step_sizes_are_learned_and_never_decay(train):
    config = make.config(inner_lr=0.02, lr=1e-4, weight_decay=100.0)
    learner = Learner(train, config)
    for n in range(1, 6):
        learner.step(n)
    values = torch.cat([value.reshape(-1) for value in learner.rates.values()])
    assert 0 < (values - 0.02).abs().max() < 0.001  # five steps of Adam
    assert len(values.unique()) > len(values) / 4


def test_weights_decay(train):
    plain, decayed = (
        Learner(train, make.config(lr=1e-3, weight_decay=decay)) for decay in (0.0, 10.0)
    )
    for learner in (plain, decayed):
        learner.step(1)
    norms = [sum(v.square().sum() for v in one.params.values()) for one in (plain, decayed)]
    assert norms[1] < 0.99 * norms[0]


def test_the_seed_decides(train):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, again, other = (Learner(train, make.config(seed=seed)) for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(state(first), state(again))
    assert not torch.equal(state(first), state(other))


def test_members_differ(train):
    for value in Learner(train, make.config(members=3)).params.values():
        assert len(value) == 3
        assert not torch.equal(value[0], value[1])


def test_a_predictor_is_not_changed_by_later_steps(train):
    learner = Learner(train, make.config())
    predictor = learner.predictor()
    before = predictor.adapted(train[0].task).score(train[0].students).mean
    learner.step(1)
    assert torch.equal(predictor.adapted(train[0].task).score(train[0].students).mean, before)


def test_divergence_is_an_error_that_says_what_to_do(train):
    learner = Learner(train, make.config(lr=1e30))
    learner.step(1)
    with pytest.raises(UserError, match="diverged in episode 2: lower lr or inner_lr"):
        learner.step(2)
