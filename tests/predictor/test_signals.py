from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dass_ray.config import Signal
from dass_ray.models.batch_norm import of_the_batch
from dass_ray.models.prefix_tree import Room
from dass_ray.predictor.comparisons import COMPARED
from dass_ray.predictor.signals import SCORED, see, signals
from dass_ray.space import MICRO
from dass_ray.zero_cost import nwot, zen

from .. import make_task
from ..make import MOBILE, ODD, TINY, few
from ..models.make import FLAT, SHALLOW, built, images

ROOMS = [Room(level=1, batch=1), Room(level=20_000, batch=5000), Room(level=2**30, batch=2**30)]
LARGE, EVERY = ROOMS[-1], get_args(Signal)
CLOSE = {name: {"rel": 2e-3, "abs": 2e-4} for name in EVERY} | {"accuracy": {"abs": 1e-6}}


def task(space, count, seed=0):
    """A teacher with images and labels."""
    labels = torch.arange(count) % 3
    return make_task.teacher(space, seed=seed), images(space, count, seed), labels


def drawn(space, n, seed=0):
    return space.sample(n, np.random.default_rng(seed))


@torch.no_grad()
def plain(teacher, specs, x, labels, names=EVERY):
    """Each student built, remapped and looked at by itself."""
    theirs, rows = see(teacher, x, labels), []
    for net in built(teacher, specs):
        scores = {
            "zen": zen.score(net, x, labels), "nwot": nwot.score(net, x[:SCORED], labels[:SCORED]),
        }  # fmt: skip
        ours = see(of_the_batch(net), x, labels)
        compared = {name: float(function(ours, theirs)) for name, function in COMPARED.items()}
        rows.append([(scores | compared)[name] for name in names])
    return rows


def assert_like(found, expected, names=EVERY):
    assert found.shape == (len(expected), len(names))
    for column, name in enumerate(names):
        values = [row[column] for row in expected]
        assert found[:, column].tolist() == pytest.approx(values, **CLOSE[name]), name


@settings(few, max_examples=12)
@given(
    st.sampled_from([TINY, ODD, FLAT, SHALLOW, MOBILE]), st.integers(1, 4),
    st.sampled_from([9, 40]),
    st.sampled_from(ROOMS), st.integers(0, 9999),
)  # fmt: skip
def test_equal_building_remapping_and_looking_at_each(space, students, count, room, seed):
    teacher, x, labels = task(space, count, seed)
    specs = drawn(space, students, seed)
    found = signals(teacher, specs, x, labels, EVERY, room)
    assert found.dtype == torch.float32
    assert_like(found, plain(teacher, specs, x, labels))


def test_at_micro_scale():
    teacher, x, labels = task(MICRO, 24)
    specs = drawn(MICRO, 4)
    found = signals(teacher, specs, x, labels, EVERY, LARGE)
    assert_like(found, plain(teacher, specs, x, labels))


def test_signals_tell_students_apart():
    """Otherwise the comparisons above compare nothing."""
    teacher, x, labels = task(TINY, 24)
    found = signals(teacher, np.unique(drawn(TINY, 30), axis=0), x, labels, EVERY, LARGE)
    for column, name in enumerate(EVERY):
        assert len(found[:, column].unique()) > 4, name


def test_columns_are_in_the_order_of_the_names():
    teacher, x, labels = task(TINY, 24)
    specs = drawn(TINY, 5)
    whole = signals(teacher, specs, x, labels, EVERY, LARGE)
    for names in (("nwot", "kl", "zen"), ("rank",), ("early_similarity", "nwot"), EVERY[::-1]):
        some = signals(teacher, specs, x, labels, names, LARGE)
        expected = whole[:, [EVERY.index(name) for name in names]]
        assert torch.allclose(some, expected, rtol=1e-5)


@pytest.mark.parametrize("room", ROOMS, ids=["small", "some", "large"])
def test_a_student_does_not_depend_on_order_or_company(room):
    """Batch norms take the statistics of each student's own images."""
    teacher, x, labels = task(TINY, 24)
    specs = drawn(TINY, 15)
    specs = np.concatenate([specs, specs[3:5]])
    whole = signals(teacher, specs, x, labels, EVERY, room)
    order = np.random.default_rng(1).permutation(len(specs))
    turned = signals(teacher, specs[order], x, labels, EVERY, room)
    assert torch.allclose(turned, whole[torch.from_numpy(order)], rtol=1e-4, atol=1e-5)
    assert torch.allclose(whole[-2:], whole[3:5], rtol=1e-6)
    alone = signals(teacher, specs[7:8], x, labels, EVERY, room)
    assert torch.allclose(alone, whole[7:8], rtol=1e-4, atol=1e-5)


def test_the_room_does_not_matter():
    teacher, x, labels = task(TINY, 24)
    found = [signals(teacher, drawn(TINY, 25), x, labels, EVERY, room) for room in ROOMS]
    for other in found[1:]:
        assert torch.allclose(other, found[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("count", [SCORED, SCORED + 20])
def test_zero_cost_scores_look_at_some_images_only(count):
    teacher, x, labels = task(TINY, count)
    found = signals(teacher, drawn(TINY, 3), x, labels, ("nwot", "zen"), LARGE)
    first = signals(teacher, drawn(TINY, 3), x[:SCORED], labels[:SCORED], ("nwot", "zen"), LARGE)
    assert torch.equal(found, first)
    fewer = signals(teacher, drawn(TINY, 3), x[:9], labels[:9], ("nwot", "zen"), LARGE)
    assert torch.equal(found[:, 1], fewer[:, 1])  # noise is always the same
    assert not torch.allclose(found[:, 0], fewer[:, 0])


def test_bfloat16_is_close_to_float32():
    teacher, x, labels = task(MICRO, 24)
    specs = drawn(MICRO, 12)
    names = tuple(name for name in EVERY if name != "accuracy")
    exact = signals(teacher, specs, x, labels, names, LARGE)
    short = signals(teacher, specs, x, labels, names, LARGE, torch.bfloat16)
    assert short.dtype == torch.float32
    unit = exact.std(dim=0)
    # beside zen: a step of 0.01 is close to what 8 bits tell apart
    alike = ((short - exact).abs().mean(dim=0) / unit)[[n != "zen" for n in names]]
    assert 1e-6 < alike.max() < 0.2


def test_the_teacher_is_left_as_it_was():
    teacher, x, labels = task(TINY, 20)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    kept = x.clone()
    found = signals(teacher, drawn(TINY, 3), x, labels, EVERY, LARGE)
    assert not found.requires_grad
    assert torch.equal(x, kept)
    assert not teacher.training
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


@torch.no_grad()
def test_what_is_seen_of_a_network(teacher):
    x, labels = images(TINY, 6), torch.arange(6) % 3
    found = see(teacher, x, labels)
    assert torch.allclose(found.logits, teacher(x), atol=1e-6)
    assert [tuple(stage.shape) for stage in found.stages] == [(6, 4), (6, 8)]
    assert torch.allclose(found.stages[-1], teacher.features(x).mean(dim=(2, 3)), atol=1e-6)
    assert torch.equal(found.labels, labels)


def test_logits_of_a_teacher_from_elsewhere_take_the_place_of_its_proxy_s():
    """Of the signals, kl alone looks at the teacher's classes."""
    teacher, x, labels = task(TINY, 9)
    specs, names = drawn(TINY, 3), ("kl", "ridge", "similarity", "nwot")
    own = see(teacher, x, labels).logits
    found = [
        signals(teacher, specs, x, labels, names, LARGE, soft=soft)
        for soft in (None, own, own.roll(1, dims=1))
    ]
    assert torch.equal(found[0], found[1])
    assert (found[0][:, 0] != found[2][:, 0]).all()
    assert torch.equal(found[0][:, 1:], found[2][:, 1:])
