import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dass_ray.zero_cost import fisher


def test_by_gates_on_the_channels(case):
    """The slope of a gate on a channel is its activation times gradient, over all positions."""
    norms = [m for m in case.net.modules() if isinstance(m, nn.BatchNorm2d)]
    gates = []

    def gate(_module, _inputs, output):
        gates.append(torch.ones(*output.shape[:2], 1, 1, requires_grad=True))
        return output * gates[-1]

    hooks = [norm.register_forward_hook(gate) for norm in norms]
    F.cross_entropy(case.net(case.images), case.labels).backward()
    for hook in hooks:
        hook.remove()
    expected = sum(g.grad.double().square().mean(dim=0).sum().item() / 2 for g in gates)
    found = fisher.score(case.net, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-4)
    assert len(gates) == len(norms)
