import numpy as np
import pytest
import torch

from dass_ray.cost import cost
from dass_ray.data.augment import normalise
from dass_ray.evaluation.material import Material
from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet
from dass_ray.predictor.tasks import task_ledgers
from dass_ray.zero_cost.catalogue import SCORES

from .. import make_task
from ..make import TINY


@pytest.fixture
def material(store):
    (task,) = task_ledgers(store, ["c"], TINY)
    return Material(store, task, TINY, images=10)


def test_truth_is_of_every_seed(material):
    truth = material.truth
    assert truth.accuracy.shape == (2, 6)
    assert np.allclose(truth.mean, truth.accuracy.mean(axis=0))
    specs = TINY.unpack(material.task.specs)
    whole = [cost(TINY, TINY.pack([spec]), 3).params[0] for spec in specs]
    assert truth.params.tolist() == whole


def test_features_are_vectors_and_log_costs(material):
    found = cost(TINY, material.task.specs, 3)
    expected = [np.log(found.params), np.log(found.flops)]
    assert np.allclose(material.features[:, -2:], np.stack(expected, axis=1))
    assert np.allclose(material.features[:, :-2], TINY.vectors(material.task.specs))


def test_scores_are_of_remapped_students_on_training_images(material, told):
    ticks = iter(range(10_000))
    told.phase("zero-cost scores", 6)
    scores, seconds = material.zero_cost(told, lambda: float(next(ticks)))
    assert scores.shape == (6, len(SCORES))
    assert seconds.tolist() == [1.0] * len(SCORES)
    data, teacher = make_task.dataset(seed=2), make_task.teacher(seed=2)
    order = material_order(len(data.train))
    images = normalise(data.train.images[order], data.mean, data.std)
    spec = TINY.unpack(material.task.specs)[3]
    net = remap(teacher, ResNet(TINY, spec, 3)).eval()
    expected = [score(net, teacher, images, data.train.labels[order]) for score in SCORES.values()]
    assert scores[3].tolist() == pytest.approx(expected, rel=1e-5)


def material_order(n):
    """The ten training images that are looked at: always the same ones."""
    return torch.randperm(n, generator=torch.Generator().manual_seed(0))[:10]
