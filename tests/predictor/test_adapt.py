"""Against the plain way: a member and a task at a time, differentiated by PyTorch as a whole."""

import pytest
import torch

from dass_ray.predictor.adapt import Support, adapt, outer_gradient
from dass_ray.predictor.network import Batch, Network, Tasks

from . import make

M, T, K = 2, 3, 4


@pytest.fixture(scope="module")
def tasks():
    return [make.runs(seed=seed) for seed in range(T)]


@pytest.fixture(scope="module")
def net(tasks):
    return Network.like(make.PAPER, tasks[0].task, 5)


@pytest.fixture(scope="module")
def groups(net):
    """Weights and step sizes [M, ...] of an ensemble, in double precision."""
    generator = torch.Generator().manual_seed(0)
    drawn = [net.new(generator) for _ in range(M)]
    params = {name: torch.stack([d[name] for d in drawn]).double() for name in drawn[0]}
    rates = {k: 0.1 * torch.rand(v.shape, generator=generator).double() for k, v in params.items()}
    return params, rates


def support_of(tasks):
    parts = [runs.students[torch.arange(K)] for runs in tasks]
    batch, inputs = Batch.of(parts), Tasks.of([runs.task for runs in tasks])
    return Support(
        Tasks(inputs.maps.double(), inputs.images.double()),
        Batch(batch.maps.double(), batch.vectors.double(), batch.signals.double()),
        torch.linspace(-1, 1, K).double().expand(len(tasks), K),
        torch.tensor([0.4, 0.3, 0.2, 0.1]).double().expand(len(tasks), K),
    )


def of_task(support, t):
    part = slice(t, t + 1)
    return Support(
        Tasks(support.tasks.maps[part], support.tasks.images[part]),
        Batch(*(getattr(support.students, f)[part] for f in ("maps", "vectors", "signals"))),
        support.targets[part],
        support.weights[part],
    )


def plainly(net, weights, rates, support, steps, *, graph=True, detach=False):
    """Weights after the inner steps of one member [1, ...] on one task."""
    at = {name: value[:, None] for name, value in weights.items()}
    for _ in range(steps):
        error = (net(at, support.tasks, support.students) - support.targets).square()
        loss = (error * support.weights).sum()
        slopes = torch.autograd.grad(loss, list(at.values()), create_graph=graph)
        slopes = [slope.detach() if detach else slope for slope in slopes]
        at = {
            name: value - rates[name][:, None] * slope
            for (name, value), slope in zip(at.items(), slopes, strict=True)
        }
    return at


def member(group, m):
    return {name: value[m : m + 1].clone().requires_grad_() for name, value in group.items()}


@pytest.mark.parametrize("steps", [1, 3])
def test_inner_steps(net, groups, tasks, steps):
    support = support_of(tasks)
    found = adapt(net, *groups, support, steps)
    for m in range(M):
        for t in range(T):
            mine = [member(group, m) for group in groups]
            expected = plainly(net, *mine, of_task(support, t), steps)
            for name, value in expected.items():
                assert torch.allclose(found[name][m, t], value[0, 0], atol=1e-12), name
    assert all(not torch.equal(found[n][:, 0], value) for n, value in groups[0].items())


@pytest.mark.parametrize("order", ["second", "first"])
@pytest.mark.parametrize("steps", [1, 2])
def test_gradients_are_those_of_the_plain_way(net, groups, tasks, order, steps):
    support = support_of(tasks)
    queries = Batch.of([r.students for r in tasks])
    queries = Batch(queries.maps.double(), queries.vectors.double(), queries.signals.double())

    def loss(adapted):
        return (net(adapted, support.tasks, queries) - 0.3).square().mean(dim=-1).sum()

    value, weights, rates = outer_gradient(net, *groups, support, loss, steps, order)
    for m in range(M):
        mine, total = [member(group, m) for group in groups], torch.zeros((), dtype=torch.double)
        for t in range(T):
            at = plainly(net, *mine, of_task(support, t), steps, detach=order == "first")
            part = Batch(*(getattr(queries, f)[t : t + 1] for f in ("maps", "vectors", "signals")))
            out = net(at, of_task(support, t).tasks, part)
            total = total + (out - 0.3).square().mean(dim=-1).sum()
        leaves = [*mine[0].values(), *mine[1].values()]
        slopes = torch.autograd.grad(total, leaves)
        found = [*weights.values(), *rates.values()]
        for ours, expected in zip(found, slopes, strict=True):
            assert torch.allclose(ours[m], expected[0], atol=1e-10)
        value = value - total.detach()
    assert value.abs() < 1e-10


def test_orders_differ(net, groups, tasks):
    support = support_of(tasks)

    def loss(adapted):
        return net(adapted, support.tasks, support.students).square().sum()

    first, second = (
        outer_gradient(net, *groups, support, loss, 1, order)[1] for order in ("first", "second")
    )
    assert any(not torch.allclose(first[name], second[name], rtol=1e-3) for name in first)


def test_without_adaptation_nothing_moves_and_no_step_size_learns(net, groups, tasks):
    support = support_of(tasks)
    seen = []

    def loss(adapted):
        seen.append(adapted)
        return net(adapted, support.tasks, support.students).square().sum()

    _, weights, rates = outer_gradient(net, *groups, support, loss, 1, "none")
    for name, value in groups[0].items():
        assert torch.equal(seen[0][name], value[:, None].expand_as(seen[0][name]))
    assert all((rate == 0).all() for rate in rates.values())
    assert weights["mix.student.weight"].abs().max() > 0
