import copy
from dataclasses import replace

import pytest
import torch

from dass_ray.kd.distill import distil, student
from dass_ray.kd.lesson import Lesson
from dass_ray.kd.losses.combined import combined
from dass_ray.kd.train import Shown
from dass_ray.kd.views import batch, soft_labels, view
from dass_ray.recipe import KDRecipe, Losses
from dass_ray.space import Spec

from .. import make_task
from ..make import KD, TINY

SPECS = (Spec.parse("4/6-8"), TINY.smallest)
ALL = {name: 1.0 + i for i, name in enumerate(Losses.model_fields)}


def recipe(**changed):
    return KDRecipe(**KD.model_dump() | changed)


def a_lesson(teacher, dataset, settings, spec=SPECS[0]):
    net = student(spec, teacher, settings, 0)
    return Lesson(net, teacher, soft_labels(teacher, dataset, settings), dataset, settings, 0)


def shown(dataset, index=1):
    chosen = torch.tensor([5, 64, 0, 9])
    images = batch(dataset, view(dataset, KD, index), chosen)
    return Shown(index, chosen, images, dataset.train.labels[chosen])


@pytest.mark.parametrize("spec", SPECS, ids=str)
def test_the_loss_compares_both_networks_on_the_very_images(teacher, dataset, spec):
    settings, step = recipe(losses=ALL), shown(dataset)
    lesson = a_lesson(teacher, dataset, settings, spec)
    found = lesson.loss(lesson.learner.train(), step)
    with torch.no_grad():
        theirs = teacher.outputs(step.images)
        theirs = theirs._replace(logits=theirs.logits.half().float())  # as soft labels are kept
        ours = lesson.student.outputs(step.images)
    expected = combined(ours, theirs, step.labels, settings, lesson.regressor)
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)
    found.backward()
    assert all(p.grad is not None for p in lesson.learner.parameters())


def test_the_teacher_does_not_run_where_its_logits_are_enough(teacher, dataset):
    blind = copy.deepcopy(teacher)
    settings = recipe(losses={"logits": 1, "decoupled": 1, "dist": 1})
    lesson = a_lesson(blind, dataset, settings)
    blind.outputs = None
    assert lesson.loss(lesson.learner, shown(dataset)).isfinite()


def test_the_teacher_stays_as_it_is(dataset):
    teacher = make_task.teacher().train()
    before = copy.deepcopy(teacher.state_dict())
    lesson = a_lesson(teacher, dataset, recipe(losses=ALL))
    lesson.loss(lesson.learner, shown(dataset)).backward()
    assert not teacher.training
    assert all(p.grad is None for p in teacher.parameters())
    assert all(torch.equal(before[name], v) for name, v in teacher.state_dict().items())


def run(teacher, dataset, settings, spec=SPECS[1]):
    return distil(spec, teacher, soft_labels(teacher, dataset, settings), dataset, settings, 0)


@pytest.mark.parametrize("name", Losses.model_fields)
def test_every_loss_trains_the_narrowest_student(teacher, dataset, name):
    """Alone, without labels, and each in its own way."""
    settings = recipe(alpha=0, losses={name: 1}, epochs=2, clip_norm=1.0)
    first = run(teacher, dataset, settings)
    assert first.trained.status == "ok"
    before = student(SPECS[1], teacher, settings, 0)
    assert not torch.equal(first.net.stem.weight, before.stem.weight)
    again = run(teacher, dataset, settings)
    assert torch.equal(first.net.stem.weight, again.net.stem.weight)


def test_the_regressor_learns_and_is_no_part_of_the_student(teacher, dataset):
    settings = recipe(losses={"hints": 5})
    lesson = a_lesson(teacher, dataset, settings)
    learned = {name for name, _ in lesson.learner.named_parameters()}
    assert {"regressor.weight", "regressor.bias"} < learned
    x = shown(dataset).images
    assert torch.equal(lesson.learner.eval()(x), lesson.student.eval()(x))
    out = run(teacher, dataset, settings, SPECS[0])
    assert set(out.net.state_dict()) == set(lesson.student.state_dict())


def test_bfloat16_is_near_float32(teacher, dataset):
    step, found = shown(dataset), []
    for precision in ("float32", "bfloat16"):
        lesson = a_lesson(teacher, dataset, recipe(losses=ALL, precision=precision))
        found.append(lesson.loss(lesson.learner, step))
        found[-1].backward()
        assert {p.dtype for p in lesson.learner.parameters()} == {torch.float32}
        found.append(lesson.student.head.weight.grad)
    assert found[0].dtype == found[2].dtype == torch.float32
    assert 0 < (found[0] - found[2]).abs() < 0.05 * found[0].abs()
    assert (found[1] - found[3]).norm() < 0.1 * found[1].norm()


def test_a_student_learns_in_bfloat16(dataset, taught):
    settings = recipe(epochs=12, clip_norm=1.0, precision="bfloat16")
    out = run(taught, dataset, settings, SPECS[0])
    assert out.trained.curve[-1] > 0.8
    assert {value.dtype for value in out.net.parameters()} == {torch.float32}


def test_unlabelled_images_are_distilled_without_looking_at_a_label(teacher, dataset):
    """With alpha = 0 the true labels of the very same images change nothing."""
    more = make_task.with_unlabelled(dataset)
    known = make_task.Split(more.train.images, more.train.labels.clamp_min(0))
    settings = recipe(alpha=0, losses={"logits": 1, "attention": 1})
    first = run(teacher, more, settings)
    again = run(teacher, replace(more, train=known), settings)
    assert len(more.train) == len(dataset.train) + 40
    assert torch.equal(first.net.head.weight, again.net.head.weight)
    alone = run(teacher, dataset, settings)
    assert not torch.equal(first.net.head.weight, alone.net.head.weight)
