"""Adaptation to tasks, and the gradient of an outer loss through it, in closed steps.

One inner step: p' = p - r * g(p), with g the gradient of the squared error on the support set and
r a learned step size for every weight (Meta-SGD, Li et al., 2017). With v = dL/dp' of an outer loss
L: dL/dr = -g * v and dL/dp = v - H (r * v), H the Hessian of the inner loss (MAML, Finn et al.,
ICML 2017). Taken apart like this, large tensors of one chunk of tasks stay in the processor's
cache, and the Hessian only meets the small support set. First order leaves H out.
Letters: M members, T tasks, N students of a support set.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from dass_ray.predictor.layers import Params
from dass_ray.predictor.network import Batch, Network, Tasks

Order = Literal["second", "first", "none"]
OuterLoss = Callable[[Params], Tensor]
"""Adapted weights [M, T, ...] -> scalar, a sum over members and tasks."""


@dataclass(frozen=True)
class Support:
    """What T tasks adapt to: students with targets [T, N], and weights [T, N] that sum to one."""

    tasks: Tasks
    students: Batch
    targets: Tensor
    weights: Tensor


def spread(params: Params, tasks: int) -> Params:
    """Weights [M, ...] as leaves [M, T, ...] that share their memory."""
    return {
        name: value.detach()[:, None].expand(-1, tasks, *value.shape[1:]).requires_grad_()
        for name, value in params.items()
    }


def _gradient(net: Network, params: Params, support: Support, graph: bool) -> tuple[Tensor, ...]:
    """The inner loss's gradient [M, T, ...] for each weight."""
    error = (net(params, support.tasks, support.students) - support.targets).square()
    loss = (error * support.weights).sum()
    leaves = list(params.values())
    return torch.autograd.grad(loss, leaves, create_graph=graph, materialize_grads=True)


def _step(params: Params, rates: Params, slopes: tuple[Tensor, ...]) -> Params:
    """The weights after one inner step, as leaves."""
    with torch.no_grad():
        moved = {
            name: torch.addcmul(params[name], rates[name][:, None], slope, value=-1)
            for name, slope in zip(params, slopes, strict=True)
        }
    return {name: value.requires_grad_() for name, value in moved.items()}


def adapt(net: Network, params: Params, rates: Params, support: Support, steps: int) -> Params:
    """Weights [M, ...] -> weights [M, T, ...] after the inner steps."""
    adapted = spread(params, len(support.targets))
    for _ in range(steps):
        adapted = _step(adapted, rates, _gradient(net, adapted, support, graph=False))
    return adapted


def outer_gradient(
    net: Network,
    params: Params,
    rates: Params,
    support: Support,
    loss: OuterLoss,
    steps: int,
    order: Order,
) -> tuple[Tensor, Params, Params]:
    """The outer loss after the inner steps, and its gradients for weights and step sizes [M, ...].

    With order "none" nothing is adapted, and step sizes get no gradient.
    """
    path, at = [], spread(params, len(support.targets))
    for _ in range(steps if order != "none" else 0):
        slopes = _gradient(net, at, support, graph=order == "second")
        path.append((at, slopes))
        at = _step(at, rates, slopes)
    value = loss(at)
    found = torch.autograd.grad(value, list(at.values()), materialize_grads=True)
    for_rates = {name: torch.zeros_like(rate) for name, rate in rates.items()}
    for before, slopes in reversed(path):
        with torch.no_grad():
            for name, slope, v in zip(rates, slopes, found, strict=True):
                for_rates[name] -= (slope * v).sum(dim=1)
        if order == "second":
            moved = [rates[n].detach()[:, None] * v for n, v in zip(before, found, strict=True)]
            bends = torch.autograd.grad(
                slopes, list(before.values()), moved, materialize_grads=True
            )
            found = tuple(v - bend for v, bend in zip(found, bends, strict=True))
    sums = {name: v.sum(dim=1) for name, v in zip(params, found, strict=True)}
    return value.detach(), sums, for_rates
