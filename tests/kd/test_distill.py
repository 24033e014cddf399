import pytest
import torch

from dass_ray.kd.distill import distil, student
from dass_ray.kd.teacher import train_teacher
from dass_ray.kd.train import accuracy
from dass_ray.kd.views import SoftLabels, soft_labels
from dass_ray.models.network import seeded
from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet
from dass_ray.recipe import KDRecipe
from dass_ray.space import Spec

from .. import make_task
from ..make import KD, TEACH, TINY

SPEC = Spec.parse("4/6-8")


def recipe(**changed):
    return KDRecipe(**KD.model_dump() | changed)


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def task(dataset):
    """A teacher that has learned its task, and its soft labels."""
    net = train_teacher(TINY, dataset, TEACH, 0).net
    return net, soft_labels(net, dataset, KD)


def run(task, dataset, settings=KD, seed=0, labels=None, **more):
    return distil(SPEC, task[0], labels or task[1], dataset, settings, seed, **more)


@pytest.mark.parametrize("how", ["first", "last", "uniform"])
def test_the_student_starts_from_the_teacher(teacher, how):
    expected = remap(teacher, ResNet(TINY, SPEC, 3), how)
    assert same(student(SPEC, teacher, recipe(start=how), 5), expected)


def test_a_fresh_student(teacher):
    net = student(SPEC, teacher, recipe(start="random"), 5)
    assert same(net, seeded(TINY, SPEC, 3, 5))
    assert not same(net, student(SPEC, teacher, recipe(start="random"), 6))


LONG = {"epochs": 12, "clip_norm": 1.0}


def test_learns(task, dataset):
    out = run(task, dataset, recipe(**LONG))
    assert out.net.spec == SPEC
    assert not out.net.training
    assert out.trained.status == "ok"
    assert len(out.trained.curve) == 12
    assert out.trained.curve[-1] == accuracy(out.net, dataset, dataset.validation) > 0.8
    assert out.test == accuracy(out.net, dataset, dataset.test) > 0.8


def test_the_seed_decides(task, dataset):
    first = run(task, dataset)
    assert same(run(task, dataset).net, first.net)
    assert not same(run(task, dataset, seed=1).net, first.net)


def test_the_teacher_stays_as_it_is(task, dataset):
    before = {name: value.clone() for name, value in task[0].state_dict().items()}
    run(task, dataset)
    assert all(torch.equal(before[name], v) for name, v in task[0].state_dict().items())


def shuffled(dataset):
    train = make_task.Split(dataset.train.images, dataset.train.labels.flip(0))
    return make_task.dataset(train=train)


def test_alpha_weighs_the_two_kinds_of_labels(task, dataset):
    noise = SoftLabels(torch.randn(task[1].logits.shape).half())
    soft, hard = recipe(alpha=0), recipe(alpha=1)
    assert same(run(task, dataset, soft).net, run(task, shuffled(dataset), soft).net)
    assert not same(run(task, dataset, soft).net, run(task, dataset, soft, labels=noise).net)
    assert same(run(task, dataset, hard).net, run(task, dataset, hard, labels=noise).net)
    assert not same(run(task, dataset, hard).net, run(task, shuffled(dataset), hard).net)


def test_soft_labels_alone_teach_the_task(task, dataset):
    out = run(task, shuffled(dataset), recipe(alpha=0, **LONG))
    assert out.trained.curve[-1] > 0.8


def test_each_view_has_its_own_labels(task, dataset):
    first = run(task, dataset).net
    for v in range(2):
        other = task[1].logits.clone()
        other[v] += torch.tensor([1.0, 0.0, -1.0])
        assert not same(run(task, dataset, labels=SoftLabels(other)).net, first)


def test_a_run_that_diverges_is_a_result(task, dataset):
    out = run(task, dataset, recipe(lr=1e30, epochs=6))
    assert out.trained.status == "diverged"
    assert out.test is None
    assert len(out.trained.curve) < 6


def test_epochs_are_told(task, dataset):
    told = []
    out = run(task, dataset, on_epoch=lambda *facts: told.append(facts))
    assert told == [(i + 1, 4, value) for i, value in enumerate(out.trained.curve)]
