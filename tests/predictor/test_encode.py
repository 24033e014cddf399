import math
from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from dass_ray.config import Encodings
from dass_ray.cost import cost
from dass_ray.data.augment import normalise
from dass_ray.data.dataset import Split
from dass_ray.models.prefix_tree import Room
from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet
from dass_ray.predictor.encode import TaskEncoder, noise
from dass_ray.predictor.signals import signals
from dass_ray.space import Space

from .. import make_task
from ..make import TINY
from .make import EVERY, PAPER, encoder

MAPS = {"architecture": False, "summary": False, "signals": (), "student": True}


def sampled(n):
    return TINY.sample(n, np.random.default_rng(0))


def test_the_one_image():
    torch.manual_seed(5)
    state = torch.get_rng_state()
    first = noise(1, 8)
    assert torch.equal(torch.get_rng_state(), state)
    assert first.shape == (1, 3, 8, 8)
    assert torch.equal(noise(1, 8), first)
    assert noise(1, 16).mean().abs() < 0.1
    assert noise(1, 16).std() == pytest.approx(1, abs=0.1)


def test_more_images_begin_with_the_same_ones():
    assert torch.equal(noise(3, 8)[:1], noise(1, 8))


def test_the_image_is_the_same_on_every_machine():
    """Recorded values: another image is another predictor."""
    expected = [-1.1258398, -1.1523602, -0.2505786]
    assert noise(1, 8)[0, 0, 0, :3].tolist() == pytest.approx(expected, rel=1e-6)


@torch.no_grad()
@pytest.mark.parametrize("probes", [1, 3])
def test_maps_equal_building_remapping_and_running_each(teacher, probes):
    specs, probe = sampled(12), noise(probes, 8)
    encodings = Encodings(**MAPS, probes=probes)
    students = TaskEncoder(teacher, 0.9, TINY, encodings).students(specs)
    assert students.maps.shape == (12, 8, 4, 4)
    assert students.maps.dtype == students.vectors.dtype == torch.float32
    scale = teacher.features(probe).mean(dim=0).square().mean().sqrt()
    for i, spec in enumerate(TINY.unpack(specs)):
        net = remap(teacher, ResNet(TINY, spec, 3), "first").eval()
        expected = net.features(probe).mean(dim=0) / scale
        assert torch.allclose(students.maps[i], expected, atol=1e-5)


@torch.no_grad()
def test_each_channels_mean(teacher):
    whole, mean = (
        TaskEncoder(teacher, 0.9, TINY, Encodings(**MAPS, use=use)).students(sampled(4)).maps
        for use in ("map", "mean")
    )
    assert mean.shape == (4, 8, 1, 1)
    assert torch.allclose(mean[:, :, 0, 0], whole.mean(dim=(2, 3)), atol=1e-6)


def test_images_on_the_host_go_to_the_statistics_device(teacher):
    """As those of a large data set do; the device here is one without memory."""
    data = make_task.dataset()
    data = replace(data, mean=data.mean.to("meta"), std=data.std.to("meta"))
    images, _ = TaskEncoder(teacher, 0.9, TINY, Encodings(images=32), data)._images
    assert images.device.type == "meta"


def test_the_set_encoder_sees_as_many_images_of_a_small_data_set(teacher):
    data = make_task.dataset()
    few = replace(data, train=Split(data.train.images[:50], data.train.labels[:50]))
    tasks = [
        TaskEncoder(teacher, 0.9, TINY, Encodings(dataset=True, signals=()), some).task
        for some in (data, few)
    ]
    assert tasks[0].images.shape == tasks[1].images.shape
    assert torch.equal(tasks[1].images[:14], tasks[1].images[50:])


def test_the_probes_size(teacher):
    encodings = Encodings(**MAPS, probe_size=12)
    maps = TaskEncoder(teacher, 0.9, TINY, encodings).students(sampled(2)).maps
    assert maps.shape == (2, 8, 6, 6)


@torch.no_grad()
def test_training_images_as_the_probe(teacher):
    data = make_task.dataset()
    encodings = Encodings(**MAPS, probe="images", probes=5)
    maps = TaskEncoder(teacher, 0.9, TINY, encodings, data).students(TINY.pack([TINY.teacher])).maps
    order = torch.randperm(66, generator=torch.Generator().manual_seed(0))[:5]
    images = normalise(data.train.images[order], data.mean, data.std)
    seen = teacher.features(images).mean(dim=0)
    assert torch.allclose(maps[0], seen / seen.square().mean().sqrt(), atol=1e-5)


def test_the_room_does_not_matter(teacher, monkeypatch):
    whole = encoder(EVERY).students(sampled(10))
    for room in (Room(1, 1), Room(2000, 500)):
        monkeypatch.setattr(Room, "on", lambda _device, room=room: room)
        parts = encoder(EVERY).students(sampled(10))
        assert torch.allclose(parts.maps, whole.maps, atol=1e-5)
        assert torch.allclose(parts.signals, whole.signals, atol=1e-3)
        assert torch.equal(parts.vectors, whole.vectors)


def test_students_come_in_any_order_and_company():
    encode_all = encoder(EVERY)
    whole, order = encode_all.students(sampled(9)), np.random.default_rng(1).permutation(9)
    turned = encode_all.students(sampled(9)[order])
    assert torch.allclose(turned.maps, whole.maps[order], atol=1e-5)
    assert torch.allclose(turned.signals, whole.signals[order], atol=1e-3)
    assert torch.equal(turned.vectors, whole.vectors[order])


def test_bfloat16_changes_what_is_computed_a_little():
    exact, short = (
        replace(encoder(EVERY), dtype=dtype).students(sampled(12))
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert torch.equal(short.vectors, exact.vectors)
    assert short.maps.dtype == short.signals.dtype == torch.float32
    assert 1e-5 < (short.maps - exact.maps).norm() / exact.maps.norm() < 0.03
    kl, _zen, nwot = (short.signals - exact.signals).abs().mean(dim=0)
    assert 0 < kl < 0.2
    assert 0 < nwot < 0.2


def test_the_teacher_is_its_own_student(teacher):
    task = TaskEncoder(teacher, 0.75, TINY, PAPER).task
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
    found = [TaskEncoder(one, 0.9, TINY, PAPER).students(sampled(6)).maps for one in (loud, net)]
    assert torch.allclose(*found, atol=1e-4)


def test_a_silent_teacher_gives_numbers():
    net = make_task.teacher()
    with torch.no_grad():
        for block in (block for stage in net.stages for block in stage):
            block.bn2.weight.zero_()
            block.bn2.bias.fill_(-1e3)
    task = TaskEncoder(net, 0.5, TINY, EVERY, make_task.dataset()).task
    assert torch.isfinite(task.teacher.maps).all()
    assert torch.isfinite(task.teacher.signals).all()


def test_summary_by_hand(teacher):
    encodings = Encodings(architecture=False, signals=())
    specs = TINY.pack([TINY.teacher, *TINY.unpack(sampled(3))])
    found = TaskEncoder(teacher, 0.9, TINY, encodings).students(specs).vectors
    costs = cost(TINY, specs, 3)
    for i, spec in enumerate(TINY.unpack(specs)):
        stages = spec.stages
        depths = [len(stage) / 2 for stage in stages]
        widths = [
            sum(stage) / len(stage) / most for stage, most in zip(stages, TINY.widths, strict=True)
        ]
        logs = [math.log(c[i] / c[0]) for c in (costs.params, costs.flops)]
        assert found[i].tolist() == pytest.approx([*depths, *widths, *logs], abs=1e-6)


def test_vectors_hold_what_is_switched_on(teacher):
    def vectors(**on):
        encodings = Encodings(**{"signals": (), "student": True} | on)
        return TaskEncoder(teacher, 0.9, TINY, encodings).students(sampled(3)).vectors

    plain = vectors(architecture=True, summary=False)
    assert plain.tolist() == TINY.vectors(sampled(3)).tolist()
    both, short = vectors(architecture=True, summary=True), vectors(architecture=False)
    assert torch.equal(both, torch.cat([plain, short], dim=1))
    assert vectors(architecture=False, summary=False).shape == (3, 0)


def test_inputs_that_are_off_are_empty():
    encode_all = encoder(Encodings())
    students, task = encode_all.students(sampled(3)), encode_all.task
    assert students.maps.shape == (3, 0, 1, 1)
    assert task.teacher.maps.shape == (1, 0, 1, 1)
    assert len(task.images) == 0
    assert encoder(PAPER).students(sampled(3)).signals.shape == (3, 0)


def test_signals_are_relative_to_random_students():
    encode_all, data = encoder(Encodings(signals=("kl", "ridge"))), make_task.dataset()
    order = torch.randperm(66, generator=torch.Generator().manual_seed(0))
    images = normalise(data.train.images[order], data.mean, data.std)

    def raw(specs):
        labels = data.train.labels[order]
        room = Room.on(torch.device("cpu"))
        return signals(encode_all.teacher, specs, images, labels, ("kl", "ridge"), room)

    reference = raw(TINY.sample(32, np.random.default_rng(0)))
    expected = (raw(sampled(5)) - reference.mean(dim=0)) / reference.std(dim=0)
    found = encode_all.students(sampled(5)).signals
    assert torch.allclose(found, expected.clamp(-4, 4), atol=1e-5)
    assert found.std() > 0.1


def test_signals_look_at_no_more_images_than_asked():
    data = make_task.dataset()
    found = [
        TaskEncoder(make_task.teacher(), 0.9, TINY, Encodings(images=images), data)
        .students(sampled(4)).signals
        for images in (32, 66, 256)
    ]  # fmt: skip
    assert not torch.allclose(found[0], found[1])
    assert torch.equal(found[1], found[2])  # there are 66


def test_what_the_set_encoder_sees():
    data, found = make_task.dataset(), encoder(EVERY).task.images
    assert found.shape == (64, 3 * 8 * 8)
    order = torch.randperm(66, generator=torch.Generator().manual_seed(0))[:64]
    assert torch.allclose(found[3], (data.train.images[order[3]].float() / 255 - 0.5).flatten())


def test_the_set_encoder_sees_any_size_as_one():
    wide = Space(**TINY.model_dump() | {"image_size": 16})
    net, data = make_task.teacher(wide), make_task.dataset(16)
    found = TaskEncoder(net, 0.9, wide, EVERY, data).task.images
    assert found.shape == (64, 3 * 8 * 8)
    order = torch.randperm(66, generator=torch.Generator().manual_seed(0))[:64]
    pooled = F.avg_pool2d(data.train.images[order].float() / 255 - 0.5, 2)
    assert torch.allclose(found, pooled.flatten(1), atol=1e-6)


def test_a_teacher_of_a_less_deep_space():
    """The predictor's space is deeper: vectors have its length, maps are the students' own."""
    deep = Space(**TINY.model_dump() | {"max_depth": 3, "name": "deep"})
    found = encoder(PAPER, space=deep).students(sampled(4))
    own = encoder(PAPER).students(sampled(4))
    assert found.vectors.tolist() == deep.vectors(deep.pack(TINY.unpack(sampled(4)))).tolist()
    assert torch.equal(found.maps, own.maps)


def test_some_of_the_students():
    students = encoder(EVERY).students(sampled(6))
    chosen = torch.tensor([4, 1, 4])
    some = students[chosen]
    assert torch.equal(some.maps, students.maps[chosen])
    assert torch.equal(some.vectors, students.vectors[chosen])
    assert torch.equal(some.signals, students.signals[chosen])
    assert len(some) == 3
