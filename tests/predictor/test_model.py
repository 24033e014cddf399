import math

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, stack_module_state

from dass_ray.predictor.model import MapEncoder, Network, Predictor, adapt, log_odds

from . import make

CHANNELS, VECTOR, HIDDEN = 8, 8, 5


@pytest.fixture(scope="module")
def runs():
    return make.runs()


def networks(count):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return [Network(CHANNELS, VECTOR, HIDDEN) for _ in range(count)]


def drawn_like(params, seed=1):
    """Step sizes of their own for every parameter."""
    generator = torch.Generator().manual_seed(seed)
    return {k: 0.1 * torch.rand(v.shape, generator=generator) for k, v in params.items()}


def predictor(members=3, scale=0.05):
    nets = networks(members)
    params = {name: value.detach() for name, value in stack_module_state(nets)[0].items()}
    return Predictor(nets[0].to("meta"), params, drawn_like(params), scale)


def member(group, m):
    return {name: value[m] for name, value in group.items()}


def test_log_odds_by_hand():
    found = log_odds(torch.tensor([0.5, 0.75, 0.2, 0.0, 1.0]))
    ends = math.log(999)
    expected = [0, math.log(3), -math.log(4), -ends, ends]
    assert found.tolist() == pytest.approx(expected, abs=1e-3)


def test_map_encoder_by_hand():
    (net,) = networks(1)
    encoder, maps = net.student, torch.randn(4, CHANNELS, 4, 4)
    inner = F.conv2d(maps, encoder.conv1.weight, encoder.conv1.bias, stride=2, padding=1).relu()
    outer = F.conv2d(inner, encoder.conv2.weight, encoder.conv2.bias, stride=2, padding=1).relu()
    assert inner.shape == (4, CHANNELS // 2, 2, 2)
    assert torch.allclose(encoder(maps), outer.mean(dim=(2, 3)), atol=1e-6)
    assert MapEncoder(1)(torch.randn(2, 1, 4, 4)).shape == (2, 1)


@torch.no_grad()
def test_network_by_hand(runs):
    (net,) = networks(1)
    students, teacher = runs.students, runs.task.teacher
    found = net(students.maps, students.vectors, teacher.maps)
    assert found.shape == (24,)
    for i in (0, 7):
        parts = [
            net.student(students.maps[i : i + 1])[0],
            net.teacher(teacher.maps)[0],
            net.architecture(students.vectors[i]),
        ]
        expected = net.out(net.mix(torch.cat(parts)).tanh())
        assert found[i].item() == pytest.approx(expected.item(), abs=1e-6)


def test_adaptation_is_one_gradient_step_of_each_own_size(runs):
    (net,) = networks(1)
    params = {name: value.detach() for name, value in net.named_parameters()}
    rates, teacher = drawn_like(params), runs.task.teacher
    loss = net(teacher.maps, teacher.vectors, teacher.maps).square().mean()
    slopes = torch.autograd.grad(loss, list(net.parameters()))
    found = adapt(net, params, rates, teacher)
    assert found.keys() == params.keys()
    for (name, value), slope in zip(params.items(), slopes, strict=True):
        assert torch.allclose(found[name], value - rates[name] * slope, atol=1e-7), name
    assert any(slope.abs().max() > 0 for slope in slopes)


def test_adaptation_moves_the_teacher_towards_no_difference(runs):
    (net,) = networks(1)
    params = {name: value.detach() for name, value in net.named_parameters()}
    rates = {name: torch.full_like(value, 1e-2) for name, value in params.items()}
    teacher = runs.task.teacher
    inputs = (teacher.maps, teacher.vectors, teacher.maps)
    after = functional_call(net, adapt(net, params, rates, teacher), inputs)
    assert after.abs().item() < net(*inputs).abs().item()


def test_step_sizes_and_weights_learn_through_the_adaptation(runs):
    """Second order: the derivative is that of finite differences."""
    (net,) = networks(1)
    net = net.double()
    teacher = runs.task.teacher
    teacher = type(teacher)(teacher.maps.double(), teacher.vectors.double())
    params = {name: value.detach() for name, value in net.named_parameters()}
    rates = {name: value.double() for name, value in drawn_like(params).items()}

    def outer(bias, rate):
        inner = adapt(net, params | {"out.bias": bias}, rates | {"out.bias": rate}, teacher)
        return functional_call(net, inner, (teacher.maps, teacher.vectors, teacher.maps)).sum()

    start = (params["out.bias"].clone().requires_grad_(), rates["out.bias"].requires_grad_())
    assert torch.autograd.gradcheck(outer, start)
    slopes = torch.autograd.grad(outer(*start), start)
    assert all(slope.abs().item() > 0 for slope in slopes)


def test_the_ensemble_equals_its_members_one_by_one(runs):
    found = predictor()
    net = networks(1)[0]
    outputs = []
    for m in range(3):
        inner = adapt(net, member(found.params, m), member(found.rates, m), runs.task.teacher)
        inputs = (runs.students.maps, runs.students.vectors, runs.task.teacher.maps)
        outputs.append(functional_call(net, inner, inputs))
    accuracies = torch.sigmoid(torch.logit(torch.tensor(0.9)) + 0.05 * torch.stack(outputs))
    scores = found.adapted(runs.task).score(runs.students)
    assert scores.mean.shape == scores.std.shape == (24,)
    assert torch.allclose(scores.mean, accuracies.mean(dim=0), atol=1e-5)
    assert torch.allclose(scores.std, accuracies.std(dim=0, correction=0), atol=1e-5)
    assert scores.std.min() > 0


def test_a_single_member_is_certain(runs):
    scores = predictor(members=1).adapted(runs.task).score(runs.students)
    assert scores.std.abs().max() == 0


def test_adapting_leaves_the_predictor_as_it_is(runs):
    found = predictor()
    before = {name: value.clone() for name, value in found.params.items()}
    adapted = found.adapted(runs.task)
    assert all(torch.equal(before[name], value) for name, value in found.params.items())
    assert any(not torch.equal(adapted.params[name], before[name]) for name in before)


def test_another_teacher_adapts_otherwise(runs):
    found, other = predictor(), make.runs(seed=1)
    a, b = (found.adapted(r.task).score(runs.students).mean for r in (runs, other))
    assert not torch.allclose(a, b)
