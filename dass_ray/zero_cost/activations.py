"""Activation maps of a network by layer."""

from torch import Tensor, nn

from dass_ray.models.network import StagedNetwork


def after_batch_norms(net: StagedNetwork, images: Tensor) -> tuple[Tensor, list[Tensor]]:
    """Logits [B, K] of images [B, 3, H, W], and the map [B, C, ., .] after each batch norm.

    What a ReLU sees is this map, with the shortcut added where a block ends.
    """
    maps: list[Tensor] = []

    def keep(_module: nn.Module, _inputs: tuple[Tensor, ...], output: Tensor) -> None:
        maps.append(output)

    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm2d)]
    hooks = [norm.register_forward_hook(keep) for norm in norms]
    try:
        logits: Tensor = net(images)
    finally:
        for hook in hooks:
            hook.remove()
    return logits, maps
