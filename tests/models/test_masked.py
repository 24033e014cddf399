import numpy as np
import pytest
import torch
from dass_ray.models.masked import student_maps
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet
from dass_ray.space import MICRO, PAPER, Space

from .. import make_task
from ..make import ODD, TINY, few

FLAT = Space(name="flat", image_size=8, widths=(5, 5), strides=(1, 1), max_depth=4)


def images(space, count, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, 3, space.image_size, space.image_size, generator=generator)


@torch.no_grad()
def one_by_one(teacher, specs, x):
    """The plain way: build each student, remap it, run it."""
    space = teacher.space
    students = [ResNet(space, spec, teacher.classes) for spec in space.unpack(specs)]
    return torch.stack([remap(teacher, net, "first").eval().features(x) for net in students])


def assert_close(found, expected):
    assert found.shape == expected.shape
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


@few
@given(
    st.sampled_from([TINY, ODD, FLAT, MICRO]), st.integers(1, 6), st.integers(1, 4),
    st.integers(0, 9999),
)  # fmt: skip
def test_equals_building_remapping_and_running_each(space, students, count, seed):
    teacher = make_task.teacher(space, seed=seed)
    specs = space.sample(students, np.random.default_rng(seed))
    x = images(space, count, seed)
    assert_close(student_maps(teacher, specs, x), one_by_one(teacher, specs, x))


def test_at_paper_scale():
    teacher = make_task.teacher(PAPER)
    specs, x = PAPER.sample(2, np.random.default_rng(0)), images(PAPER, 1)
    assert_close(student_maps(teacher, specs, x), one_by_one(teacher, specs, x))


@torch.no_grad()
def test_the_largest_student_has_the_teachers_map(teacher):
    x = images(TINY, 3)
    maps = student_maps(teacher, TINY.pack([TINY.teacher]), x)
    assert torch.allclose(maps[0], teacher.features(x), atol=1e-5)


def test_a_student_does_not_depend_on_its_batch(teacher):
    specs, x = TINY.sample(20, np.random.default_rng(0)), images(TINY, 2)
    maps = student_maps(teacher, specs, x)
    order = np.random.default_rng(1).permutation(20)
    assert_close(student_maps(teacher, specs[order], x), maps[torch.from_numpy(order)])
    assert_close(student_maps(teacher, specs[3:4], x[1:])[0, 0], maps[3, 1])


def test_a_batch_in_which_no_student_is_deep(teacher):
    specs, x = TINY.pack([TINY.smallest] * 2), images(TINY, 2)
    assert_close(student_maps(teacher, specs, x), one_by_one(teacher, specs, x))


def test_keeps_no_graph_and_changes_nothing(teacher):
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    x = images(TINY, 2)
    kept = x.clone()
    maps = student_maps(teacher, TINY.sample(3, np.random.default_rng(0)), x)
    assert not maps.requires_grad
    assert torch.equal(x, kept)
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_a_teacher_in_training_is_a_mistake():
    teacher = make_task.teacher().train()
    with pytest.raises(AssertionError):
        student_maps(teacher, TINY.pack([TINY.teacher]), images(TINY, 1))
