import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dass_ray.data.augment import normalise
from dass_ray.kd import train as train_module
from dass_ray.kd.train import accuracy, rate, steps_per_epoch, train
from dass_ray.models.network import seeded
from dass_ray.recipe import TrainRecipe

from .. import make_task
from ..make import TINY, few

PLAIN = TrainRecipe(epochs=3, batch_size=16, lr=0.05, crop_padding=1)


def recipe(**changed):
    return TrainRecipe(**PLAIN.model_dump() | changed)


def cross_entropy(net, shown):
    return F.cross_entropy(net(shown.images), shown.labels)


def slope(net, shown):
    """The sum of the logits, mean over the batch."""
    return net(shown.images).sum(dim=1).mean()


def fresh(seed=0):
    return seeded(TINY, TINY.smallest, 3, seed)


def trained(dataset, settings=PLAIN, *, seed=0, loss=cross_entropy, **more):
    """The network and what its training gave."""
    net = fresh()
    return net, train(net, dataset, settings, loss, seed=seed, **more)


def weights(net):
    return torch.cat([value.reshape(-1).double() for value in net.state_dict().values()])


def test_rate_by_hand():
    settings = recipe(warmup=0.2)
    found = [rate(step, 10, settings) for step in range(11)]
    assert found[:3] == pytest.approx([1 / 3, 2 / 3, 1])
    assert found[6] == pytest.approx(0.5)
    assert found[10] == pytest.approx(0)
    assert rate(0, 10, PLAIN) == 1


@few
@given(st.integers(1, 500), st.floats(0, 0.99))
def test_rate_rises_then_falls(steps, warmup):
    values = [rate(step, steps, recipe(warmup=warmup)) for step in range(steps + 1)]
    assert all(0 <= value <= 1 for value in values)
    top = values.index(max(values))
    assert values[: top + 1] == sorted(values[: top + 1])
    assert values[top:] == sorted(values[top:], reverse=True)
    assert top <= math.ceil(warmup * steps)


def test_steps():
    assert [steps_per_epoch(n, PLAIN) for n in (5, 16, 31, 32)] == [1, 1, 1, 2]


class Spy:
    """A loss that keeps what it is told."""

    def __init__(self):
        self.told = []

    def __call__(self, net, shown):
        self.told.append((shown.view, shown.chosen.clone(), shown.labels.clone()))
        return cross_entropy(net, shown)


def test_each_image_at_most_once_an_epoch_in_a_new_order(dataset):
    spy = Spy()
    trained(dataset, loss=spy)
    assert len(spy.told) == 3 * 4
    epochs = [torch.cat([chosen for _, chosen, _ in spy.told[i : i + 4]]) for i in (0, 4, 8)]
    for order in epochs:
        assert len(order) == 64  # the incomplete last batch of 66 is left out
        assert len(order.unique()) == 64
    assert not torch.equal(epochs[0], epochs[1])
    for _, chosen, labels in spy.told:
        assert torch.equal(labels, dataset.train.labels[chosen])


def test_a_set_smaller_than_a_batch_is_one_step(dataset):
    spy = Spy()
    trained(dataset, recipe(batch_size=100), loss=spy)
    assert [len(chosen) for _, chosen, _ in spy.told] == [66] * 3


def test_views(dataset):
    def shown(seed, views):
        spy = Spy()
        trained(dataset, recipe(epochs=5, batch_size=66), seed=seed, loss=spy, views=views)
        return [view for view, _, _ in spy.told]

    assert shown(0, 2) == shown(3, 2) == [0, 1, 0, 1, 0]
    assert len({*shown(0, None), *shown(1, None)}) == 10  # a new one every epoch of every seed


def test_seed_decides_everything(dataset):
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first, found = trained(dataset, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    again, found_again = trained(dataset, seed=3)
    assert torch.equal(weights(first), weights(again))
    assert found.curve == found_again.curve
    assert not torch.equal(weights(first), weights(trained(dataset, seed=4)[0]))


def test_learns(dataset):
    net, found = trained(dataset, recipe(epochs=8, lr=0.1))
    assert found.status == "ok"
    assert len(found.curve) == 8
    assert found.curve[-1] > 0.8
    assert found.curve[-1] == accuracy(net, dataset, dataset.validation)
    assert found.seconds > 0


def test_every_epoch_is_told(dataset):
    told = []
    _, found = trained(dataset, on_epoch=lambda *facts: told.append(facts))
    assert told == [(i + 1, 3, value) for i, value in enumerate(found.curve)]


def test_min_steps_add_epochs(dataset):
    assert len(trained(dataset, recipe(min_steps=18))[1].curve) == 5


def test_the_learning_rate_of_every_step(dataset):
    """Without momentum and decay, a loss of slope 1 moves a weight by the rates' sum."""
    settings = recipe(momentum=0, weight_decay=0, warmup=0.25, lr=0.5, epochs=2)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    before = net[1].bias.detach().clone()
    train(net, dataset, settings, slope, seed=0)
    expected = 0.5 * sum(rate(step, 8, settings) for step in range(8))
    assert torch.allclose(before - net[1].bias, torch.full((3,), expected), rtol=1e-4)


def test_momentum_is_nesterovs(dataset):
    settings = recipe(momentum=0.5, weight_decay=0, epochs=1, batch_size=33, lr=1.0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    before = net[1].bias.detach().clone()
    train(net, dataset, settings, slope, seed=0)
    expected = 1.5 * rate(0, 2, settings) + 1.75 * rate(1, 2, settings)  # g + 0.5 v
    assert torch.allclose(before - net[1].bias, torch.full((3,), expected), rtol=1e-4)


def test_gradients_are_clipped(dataset):
    settings = recipe(momentum=0, weight_decay=0, lr=1.0, clip_norm=1e-3)
    net = fresh()
    before = [p.detach().clone() for p in net.parameters()]
    train(net, dataset, settings, lambda *told: 1e6 * cross_entropy(*told), seed=0)
    moved = torch.stack([(p - q).norm() for p, q in zip(net.parameters(), before, strict=True)])
    assert 0 < moved.norm() <= 12 * 1e-3 * 1.0001  # 12 steps


def test_weights_decay(dataset):
    settings = recipe(momentum=0, weight_decay=0.5, epochs=1, batch_size=66, lr=0.1)
    net = nn.Sequential(nn.Flatten(), nn.Linear(192, 3))
    before = net[1].weight.detach().clone()
    train(net, dataset, settings, lambda *told: 0 * slope(*told), seed=0)
    assert torch.allclose(net[1].weight, before * (1 - 0.1 * 0.5))


def test_a_run_that_diverges_is_a_result(dataset):
    _, found = trained(dataset, recipe(lr=1e30, epochs=5))
    assert found.status == "diverged"
    assert len(found.curve) < 5


def test_clipping_keeps_a_wild_run_finite(dataset):
    _, found = trained(dataset, recipe(lr=1e3, clip_norm=1e-4))
    assert found.status == "ok"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("where", [6, 8])  # the last batch of the second epoch is its fourth
def test_one_bad_batch_is_enough(dataset, bad, where):
    calls = []

    def loss(net, shown):
        calls.append(1)
        return cross_entropy(net, shown) * (bad if len(calls) == where else 1)

    told = []
    _, found = trained(dataset, loss=loss, on_epoch=lambda *facts: told.append(facts))
    assert found.status == "diverged"
    assert len(found.curve) == len(told) == 1
    assert len(calls) == 8  # the second epoch was the last


class Modes(nn.Module):
    """Keeps in which mode it was at every call."""

    def __init__(self):
        super().__init__()
        self.layer, self.modes = nn.Linear(192, 3), []

    def forward(self, images):
        self.modes.append(self.training)
        return self.layer(images.flatten(1))


def test_every_epoch_trains_in_train_mode_and_validates_in_eval_mode(dataset):
    net = Modes()
    train(net, dataset, PLAIN, cross_entropy, seed=0)
    assert net.modes == [True, True, True, True, False] * 3


class Brightest(nn.Module):
    """Calls the colour that is the brightest."""

    def forward(self, images):
        return images.mean(dim=(2, 3))


def test_accuracy_by_hand(dataset, monkeypatch):
    split = dataset.validation
    assert accuracy(Brightest(), dataset, split) == 1.0
    labels = split.labels.clone()
    labels[:6] = (labels[:6] + 1) % 3
    wrong = make_task.Split(split.images, labels)
    assert accuracy(Brightest(), dataset, wrong) == pytest.approx(24 / 30)
    monkeypatch.setattr(train_module, "EVAL_BATCH", 7)
    assert accuracy(Brightest(), dataset, wrong) == pytest.approx(24 / 30)


@torch.no_grad()
def test_accuracy_is_that_of_eval_mode(teacher, dataset):
    images = normalise(dataset.test.images, dataset.mean, dataset.std)
    right = (teacher.eval()(images).argmax(dim=1) == dataset.test.labels).float().mean().item()
    assert accuracy(teacher.train(), dataset, dataset.test) == pytest.approx(right)
    assert not teacher.training
