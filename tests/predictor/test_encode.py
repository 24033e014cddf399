import numpy as np
import pytest
import torch

from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet
from dass_ray.predictor import encode
from dass_ray.predictor.encode import encode_students, encode_task, noise
from dass_ray.space import MICRO

from .. import make_task
from ..make import TINY


def sampled(n):
    return TINY.sample(n, np.random.default_rng(0))


def test_the_one_image_of_a_space():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = noise(TINY)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.shape == (1, 3, 8, 8)
    assert torch.equal(noise(TINY), first)
    assert noise(MICRO).shape == (1, 3, 16, 16)
    assert noise(MICRO).mean().abs() < 0.1
    assert noise(MICRO).std() == pytest.approx(1, abs=0.1)


def test_the_image_is_the_same_on_every_machine():
    """Recorded values: another image is another predictor."""
    expected = [-1.1258398, -1.1523602, -0.2505786]
    assert noise(TINY)[0, 0, 0, :3].tolist() == pytest.approx(expected, rel=1e-6)


@torch.no_grad()
def test_equals_building_remapping_and_running_each(teacher):
    specs = sampled(12)
    students = encode_students(teacher, specs)
    assert students.maps.shape == (12, 8, 4, 4)
    assert students.maps.dtype == students.vectors.dtype == torch.float32
    scale = teacher.features(noise(TINY)).square().mean().sqrt()
    for i, spec in enumerate(TINY.unpack(specs)):
        net = remap(teacher, ResNet(TINY, spec, 3), "first").eval()
        expected = net.features(noise(TINY))[0] / scale
        assert torch.allclose(students.maps[i], expected, atol=1e-5)
    assert students.vectors.tolist() == TINY.vectors(specs).tolist()


def test_chunks_do_not_matter(teacher, monkeypatch):
    specs = sampled(10)
    whole = encode_students(teacher, specs)
    monkeypatch.setattr(encode, "CHUNK", 3)
    parts = encode_students(teacher, specs)
    assert torch.allclose(parts.maps, whole.maps, atol=1e-6)
    assert torch.equal(parts.vectors, whole.vectors)


def test_the_teacher_is_its_own_student(teacher):
    task = encode_task(teacher, 0.75)
    assert task.accuracy == 0.75
    assert task.teacher.maps.shape == (1, 8, 4, 4)
    assert task.teacher.vectors.tolist() == TINY.vectors(TINY.pack([TINY.teacher])).tolist()
    assert task.teacher.maps.square().mean().sqrt().item() == pytest.approx(1, rel=1e-5)


@torch.no_grad()
def test_a_teachers_overall_scale_does_not_matter():
    """ReLU networks are homogeneous: all last norms and shortcuts times c give maps times c."""
    net, loud = make_task.teacher(), make_task.teacher()
    for values in (loud.bn.weight, loud.bn.bias):
        values.mul_(3)
    for block in (block for stage in loud.stages for block in stage):
        block.bn1.running_mean.mul_(3)  # what follows sees three times its inputs
        block.bn1.running_var.mul_(9)
        for values in (block.bn2.weight, block.bn2.bias):
            values.mul_(3)
    specs = sampled(6)
    assert torch.allclose(
        encode_students(loud, specs).maps, encode_students(net, specs).maps, atol=1e-4
    )


def test_a_silent_teacher_gives_numbers():
    net = make_task.teacher()
    with torch.no_grad():
        for block in (block for stage in net.stages for block in stage):
            block.bn2.weight.zero_()
            block.bn2.bias.fill_(-1e3)
    assert torch.isfinite(encode_task(net, 0.5).teacher.maps).all()


def test_some_of_the_students(teacher):
    students = encode_students(teacher, sampled(6))
    chosen = torch.tensor([4, 1, 4])
    some = students[chosen]
    assert torch.equal(some.maps, students.maps[chosen])
    assert torch.equal(some.vectors, students.vectors[chosen])
