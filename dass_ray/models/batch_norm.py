"""Batch norms that use the statistics of the batch at hand, and keep their own as they are."""

from torch import nn

from dass_ray.models.network import StagedNetwork


def of_the_batch(net: StagedNetwork) -> StagedNetwork:
    """Puts a network in eval mode, except that its batch norms look at each batch alone."""
    net.eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
            module.momentum = 0.0  # the running statistics stay
    return net
