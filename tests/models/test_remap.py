import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dass_ray.models.network import seeded
from dass_ray.models.remap import channels, remap
from dass_ray.models.resnet import ResNet
from dass_ray.space import MICRO, Spec

from .. import make_task
from ..make import MOBILE, ODD, TINY, few, specs

PICKS = {
    "first": lambda total, kept: list(range(kept)),
    "last": lambda total, kept: list(range(total - kept, total)),
    "uniform": lambda total, kept: [i * (total // kept) for i in range(kept)],
}


def test_channels_by_hand():
    assert channels(8, 3, "first").tolist() == [0, 1, 2]
    assert channels(8, 3, "last").tolist() == [5, 6, 7]
    assert channels(8, 3, "uniform").tolist() == [0, 2, 4]
    assert channels(8, 5, "uniform").tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("how", PICKS)
@few
@given(st.integers(1, 300), st.data())
def test_channels_are_different_ones_of_the_teacher(how, total, data):
    kept = data.draw(st.integers(1, total))
    found = channels(total, kept, how).tolist()
    assert found == PICKS[how](total, kept)
    assert len(set(found)) == kept
    assert 0 <= min(found) <= max(found) < total


def pairs(teacher, student, how):
    """Each convolution and norm of the student with the teacher's that it comes from."""
    yield teacher.stem, teacher.bn, student.stem, student.bn
    for theirs, ours in zip(teacher.stages, student.stages, strict=True):
        for j, block in enumerate(ours):
            source = theirs[len(theirs) - len(ours) + j if how == "last" else j]
            yield source.conv1, source.bn1, block.conv1, block.bn1
            yield source.conv2, source.bn2, block.conv2, block.bn2


@pytest.mark.parametrize("how", PICKS)
@settings(few, max_examples=15)
@given(st.sampled_from([TINY, ODD, MICRO]), st.integers(0, 999))
def test_each_tensor_is_a_part_of_the_teachers(how, space, seed):
    teacher = make_task.teacher(space, seed=seed)
    (spec,) = specs(space, 1, seed)
    student = remap(teacher, ResNet(space, spec, 3), how)
    for conv, norm, to_conv, to_norm in pairs(teacher, student, how):
        rows = PICKS[how](conv.out_channels, to_conv.out_channels)
        columns = PICKS[how](conv.in_channels, to_conv.in_channels)
        assert torch.equal(to_conv.weight, conv.weight[rows][:, columns])
        for name in ("weight", "bias", "running_mean", "running_var"):
            assert torch.equal(getattr(to_norm, name), getattr(norm, name)[rows]), name
    assert torch.equal(student.head.weight, teacher.head.weight)
    assert torch.equal(student.head.bias, teacher.head.bias)


@pytest.mark.parametrize("how", PICKS)
def test_each_tensor_of_a_mobilenet(how):
    teacher, spec = make_task.teacher(MOBILE), Spec.parse("2x1/3x3")
    student = remap(teacher, seeded(MOBILE, spec, 3, 1), how)
    for (theirs, ours), entering, width, expansion in zip(
        [(teacher.stages[s][-1 if how == "last" else 0], student.stages[s][0]) for s in (0, 1)],
        [(3, 3), (2, 4)], [(2, 4), (3, 6)], [1, 3], strict=True,
    ):  # fmt: skip
        inner = PICKS[how](theirs.widen.out_channels, entering[0] * expansion)
        columns = PICKS[how](theirs.widen.in_channels, entering[0])
        assert torch.equal(ours.widen.weight, theirs.widen.weight[inner][:, columns])
        assert torch.equal(ours.filter.weight, theirs.filter.weight[inner])
        rows = PICKS[how](width[1], width[0])
        assert torch.equal(ours.narrow.weight, theirs.narrow.weight[rows][:, inner])
        assert torch.equal(ours.bn3.running_var, theirs.bn3.running_var[rows])
    last = PICKS[how](6, 3)
    assert torch.equal(student.last.weight, teacher.last.weight[:, last])
    assert torch.equal(student.stem.weight, teacher.stem.weight)
    assert torch.equal(student.head.weight, teacher.head.weight)


@pytest.mark.parametrize("how", PICKS)
@torch.no_grad()
def test_the_largest_student_is_the_teacher(teacher, how):
    student = remap(teacher, ResNet(TINY, TINY.teacher, 3), how).eval()
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(student(x), teacher(x))


@pytest.mark.parametrize("how", PICKS)
def test_the_teacher_stays_as_it_is(how):
    teacher = make_task.teacher()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    net = ResNet(TINY, TINY.teacher, 3)
    student = remap(teacher, net, how)
    assert student is net
    with torch.no_grad():
        for value in student.state_dict().values():
            value.zero_()
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_only_networks_of_one_space_and_task(teacher):
    for student in (seeded(TINY, TINY.teacher, 4, 0), seeded(ODD, Spec.parse("6/3/10"), 3, 0)):
        with pytest.raises(AssertionError):
            remap(teacher, student)
