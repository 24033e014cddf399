"""Scores of weights and their gradients, beside functional derivatives of the same loss."""

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call, grad

from dass_ray.zero_cost import grad_norm, grasp, l2_norm, plain, snip


def weights(net):
    """Convolutions and the head, told by their shape; in doubles."""
    return {n: p.detach().double() for n, p in net.named_parameters() if p.ndim in (2, 4)}


def loss(case):
    rest = {n: v.double() for n, v in case.net.state_dict().items() if v.is_floating_point()}

    def of(some):
        logits = functional_call(case.net, rest | some, case.images.double())
        return F.cross_entropy(logits, case.labels)

    return of


@pytest.fixture
def parts(case):
    """(weight, gradient, Hessian times gradient, by a small step along it) of each layer."""
    w, of, step = weights(case.net), grad(loss(case)), 1e-5
    slopes = of(w)
    after, before = (of({n: w[n] + s * slopes[n] for n in w}) for s in (step, -step))
    products = {n: (after[n] - before[n]) / (2 * step) for n in w}
    assert len(w) == sum(p.ndim > 1 for p in case.net.parameters())
    return [(w[name], slopes[name], products[name]) for name in w]


EXPECTED = {
    grad_norm: lambda _w, slope, _product: slope.square().sum().sqrt(),
    plain: lambda w, slope, _product: (w * slope).sum(),
    snip: lambda w, slope, _product: (w * slope).abs().sum(),
    grasp: lambda w, _slope, product: -(w * product).sum(),
}


@pytest.mark.parametrize("module", EXPECTED, ids=lambda m: m.__name__.rpartition(".")[2])
def test_by_functional_derivatives(case, parts, module):
    expected = sum(EXPECTED[module](*part).item() for part in parts)
    scale = sum(EXPECTED[module](*part).abs().item() for part in parts)  # terms may cancel
    found = module.score(case.net, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-4, abs=1e-5 * scale)


def test_l2_norm_of_weights_alone(case):
    expected = sum(w.square().sum().sqrt().item() for w in weights(case.net).values())
    nothing = torch.zeros(0)
    assert l2_norm.score(case.net, nothing, nothing) == pytest.approx(expected, rel=1e-5)
