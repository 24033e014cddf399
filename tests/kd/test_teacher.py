import math

import pytest
import torch
import torch.nn.functional as F

from dass_ray.data.dataset import Split
from dass_ray.kd import teacher as teacher_module
from dass_ray.kd.teacher import chance, near_chance, train_teacher
from dass_ray.kd.train import accuracy, train
from dass_ray.models.network import seeded
from dass_ray.recipe import TeacherRecipe

from .. import make_task
from ..make import TEACH, TINY


def recipe(**changed):
    return TeacherRecipe(**TEACH.model_dump() | changed)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def trained(dataset):
    return train_teacher(TINY, dataset, TEACH, 0)


def test_is_the_largest_network_and_learns(trained, dataset):
    assert trained.net.spec == TINY.teacher
    assert not trained.net.training
    assert trained.trained.status == "ok"
    assert len(trained.trained.curve) == TEACH.epochs
    assert trained.validation == trained.trained.curve[-1] > 0.8
    assert trained.validation == accuracy(trained.net, dataset, dataset.validation)
    assert trained.test == accuracy(trained.net, dataset, dataset.test)


def test_unlabelled_images_change_nothing(trained, dataset):
    more = train_teacher(TINY, make_task.with_unlabelled(dataset), TEACH, 0)
    assert same(more.net, trained.net)
    assert more.trained.curve == trained.trained.curve


def test_the_seed_decides(trained, dataset):
    assert same(train_teacher(TINY, dataset, TEACH, 0).net, trained.net)
    assert not same(train_teacher(TINY, dataset, TEACH, 1).net, trained.net)


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_the_loss_is_cross_entropy_with_smoothed_labels(dataset, smoothing):
    settings = recipe(label_smoothing=smoothing, epochs=1)
    net = seeded(TINY, TINY.teacher, 3, 2)

    def loss(net, shown):
        target = (1 - smoothing) * F.one_hot(shown.labels, 3) + smoothing / 3
        return -(target * F.log_softmax(net(shown.images), dim=1)).sum(dim=1).mean()

    train(net, dataset, settings, loss, seed=2)
    found = train_teacher(TINY, dataset, settings, 2).net
    assert torch.allclose(found.head.weight, net.head.weight, atol=1e-4)
    assert not torch.allclose(found.head.weight, seeded(TINY, TINY.teacher, 3, 2).head.weight)


def test_every_epoch_is_a_new_view(dataset, monkeypatch):
    seen = []

    def spy(net, dataset, recipe, loss, **more):
        seen.append(more.get("views"))
        return train(net, dataset, recipe, loss, **more)

    monkeypatch.setattr(teacher_module, "train", spy)
    train_teacher(TINY, dataset, TEACH, 0)
    assert seen == [None]


def test_a_wild_teacher_is_a_result(dataset):
    found = train_teacher(TINY, dataset, recipe(lr=1e30, warmup=0, epochs=5), 0)
    assert found.trained.status == "diverged"
    assert 0 <= found.validation <= 1


@pytest.mark.parametrize(
    ("classes", "images", "edge"),
    [
        (10, 10_000, 0.1 + 0.05 * 0.9),  # many images: a twentieth of the way to 1
        (10, 100, 0.1 + 3 * math.sqrt(0.1 * 0.9 / 100)),  # few: three standard errors
        (2, 100, 0.5 + 3 * 0.05),
        (2, 5, 0.75),  # half of the way is always enough
        (200, 10_000, 1 / 200 + 0.05 * (1 - 1 / 200)),
    ],
)
def test_near_chance_is_below_the_edge(classes, images, edge):
    guess = 1 / classes
    assert near_chance(edge - 1e-9, guess, images)
    assert not near_chance(edge + 1e-9, guess, images)
    assert near_chance(guess, guess, images)
    assert near_chance(0.0, guess, images)
    assert not near_chance(1.0, guess, images)


def test_chance_is_the_most_frequent_class():
    labels = torch.tensor([0, 2, 2, 2, 1])
    images = torch.zeros(5, 3, 8, 8, dtype=torch.uint8)
    assert chance(Split(images, labels)) == 0.6


def test_more_images_tell_more():
    found = [near_chance(0.2, 0.1, images) for images in (10, 50, 100, 1000)]
    assert found == [True, True, False, False]
