import copy

import pytest
import torch

from dass_ray.data.augment import crop, normalise
from dass_ray.kd import views
from dass_ray.kd.train import train
from dass_ray.kd.views import batch, soft_labels, view
from dass_ray.recipe import KDRecipe

from .. import make_task
from ..make import KD

N = 66


def recipe(**changed):
    return KDRecipe(**KD.model_dump() | changed)


def test_a_view_depends_on_its_index_alone(dataset):
    torch.manual_seed(0)
    first = view(dataset, KD, 3)
    torch.manual_seed(1)
    again, other = view(dataset, KD, 3), view(dataset, KD, 4)
    assert torch.equal(first.corner, again.corner)
    assert torch.equal(first.mirrored, again.mirrored)
    assert not torch.equal(first.corner, other.corner)
    assert first.corner.shape == (2, N)
    assert first.mirrored.any()
    assert not view(dataset, recipe(flip=False), 3).mirrored.any()
    assert view(dataset, recipe(crop_padding=0), 3).corner.max() == 0


def test_batch_is_some_images_of_the_view(dataset):
    draws = view(dataset, KD, 0)
    everything = normalise(crop(dataset.train.images, draws), dataset.mean, dataset.std)
    chosen = torch.tensor([5, 0, 64, 5])
    assert torch.equal(batch(dataset, draws, chosen), everything[chosen])


@torch.no_grad()
def test_labels_are_the_teachers_logits_on_each_view(teacher, dataset):
    labels = soft_labels(teacher, dataset, KD).logits
    assert labels.shape == (2, N, 3)
    assert labels.dtype == torch.float16
    assert labels.device.type == "cpu"
    for v in range(2):
        images = crop(dataset.train.images, view(dataset, KD, v))
        expected = teacher(normalise(images, dataset.mean, dataset.std))
        assert torch.allclose(labels[v].float(), expected, rtol=1e-3, atol=1e-3)
    assert not torch.equal(labels[0], labels[1])


@pytest.mark.parametrize(("epochs", "shown"), [(1, 1), (3, 3), (9, 3)])
def test_only_views_that_are_shown(teacher, dataset, epochs, shown):
    labels = soft_labels(teacher, dataset, recipe(epochs=epochs, views=3))
    assert len(labels.logits) == shown


def test_min_steps_show_more_views(teacher, dataset):
    """66 images in batches of 16 are 4 steps, so 12 of them take 3 epochs."""
    assert len(soft_labels(teacher, dataset, recipe(epochs=1, min_steps=12, views=9)).logits) == 3


def test_chunks_do_not_matter(teacher, dataset, monkeypatch):
    whole = soft_labels(teacher, dataset, KD).logits
    monkeypatch.setattr(views, "EVAL_BATCH", 13)
    assert torch.allclose(soft_labels(teacher, dataset, KD).logits, whole, atol=1e-2)


def test_the_teacher_is_in_eval_mode(dataset):
    teacher = make_task.teacher().train()
    before = copy.deepcopy(teacher.state_dict())
    soft_labels(teacher, dataset, KD)
    assert not teacher.training
    assert all(torch.equal(before[name], v) for name, v in teacher.state_dict().items())


class Camera(torch.nn.Module):
    """A student that keeps the images it is shown in training."""

    def __init__(self, net):
        super().__init__()
        self.net, self.seen = net, []

    def forward(self, images):
        if self.training:
            self.seen.append(images)
        return self.net(images)


@torch.no_grad()
def test_labels_belong_to_the_very_images_that_training_shows(teacher, dataset):
    labels = soft_labels(teacher, dataset, KD).logits
    camera, told = Camera(make_task.teacher(seed=1)), []

    def loss(net, shown):
        told.append((shown.view, shown.chosen, shown.labels))
        return torch.nn.functional.cross_entropy(net(shown.images), shown.labels)

    with torch.enable_grad():
        train(camera, dataset, KD, loss, seed=5, views=len(labels))
    assert len(camera.seen) == len(told) == 16  # 4 epochs of 4 batches
    assert [index for index, _, _ in told] == [0] * 4 + [1] * 4 + [0] * 4 + [1] * 4
    for images, (index, chosen, truth) in zip(camera.seen, told, strict=True):
        expected = labels[index][chosen].float()
        assert torch.allclose(teacher(images), expected, rtol=1e-3, atol=2e-3)
        assert torch.equal(truth, dataset.train.labels[chosen])
