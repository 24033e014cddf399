"""Layers of many small networks at once: every tensor of weights has leading dimensions [M, T].

Plain batched products, because a `vmap` over separate weights turns each convolution into a grouped
one, which is several times slower. Letters: M members, T tasks, N students, C channels, H and W a
map's size, P output positions, I inputs, O outputs.
Data that all members share have no leading M.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

Params = dict[str, Tensor]
"""Tensors by parameter name, each with leading dimensions [M] or [M, T]."""


def new_linear(inputs: int, outputs: int, generator: torch.Generator, fan_in: int = 0) -> Params:
    """A weight [I, O] and a bias [O], uniform in +-1/sqrt(fan in), as PyTorch's layers begin."""
    bound = 1 / math.sqrt(max(1, fan_in or inputs))
    shapes = {"weight": (inputs, outputs), "bias": (outputs,)}
    return {
        name: torch.empty(shape).uniform_(-bound, bound, generator=generator)
        for name, shape in shapes.items()
    }


def linear(params: Params, name: str, x: Tensor) -> Tensor:
    """[M, T, N, I], or [T, N, I] for all members -> [M, T, N, O]."""
    return product(x, params[f"{name}.weight"]) + params[f"{name}.bias"][:, :, None]


def product(x: Tensor, weight: Tensor) -> Tensor:
    """[M, T, N, I], or [T, N, I] for all members, by [M, T, I, O] -> [M, T, N, O]."""
    return torch.einsum("tni,mtio->mtno", x, weight) if x.ndim == 3 else x @ weight


def taps(side: int) -> range:
    """Rows of a 3x3 kernel that ever meet a map of this side (stride 2, padding 1).

    The others see padding alone: they bring nothing and learn nothing, so they are left out.
    """
    return range(1, 2) if side == 1 else range(1, 3) if side == 2 else range(3)


def new_convolution(
    inputs: int, outputs: int, size: tuple[int, int], generator: torch.Generator
) -> Params:
    """Parameters of a 3x3 convolution of stride 2 on maps of this size, as a linear layer."""
    used = len(taps(size[0])) * len(taps(size[1]))
    return new_linear(used * inputs, outputs, generator, fan_in=9 * inputs)


def patches(maps: Tensor) -> Tensor:
    """[..., H, W, C] -> [..., P, taps * C]: what a 3x3 kernel of stride 2, padding 1 sees."""
    height, width = maps.shape[-3:-1]
    rows, columns = 2 * halved(height) - 1, 2 * halved(width) - 1
    padded = F.pad(maps, (0, 0, 1, 1, 1, 1))
    seen = [
        padded[..., i : i + rows : 2, j : j + columns : 2, :]
        for i in taps(height)
        for j in taps(width)
    ]
    return torch.cat(seen, dim=-1).flatten(-3, -2)


def halved(side: int) -> int:
    """A map's side after stride 2."""
    return (side + 1) // 2


def encode_maps(params: Params, name: str, maps: Tensor) -> Tensor:
    """Two strided convolutions and a global mean: maps [T, N, H, W, C] -> [M, T, N, C]."""
    tasks, n, height, width, _ = maps.shape
    seen = patches(maps)
    hidden = F.relu(linear(params, f"{name}.conv1", seen.flatten(1, 2)))
    size = (-1, tasks, n, halved(height), halved(width), hidden.shape[-1])
    again = patches(hidden.reshape(size))
    out = F.relu(linear(params, f"{name}.conv2", again.flatten(2, 3)))
    return out.reshape(*out.shape[:2], n, -1, out.shape[-1]).mean(dim=3)


def attend(params: Params, name: str, queries: Tensor, keys: Tensor) -> Tensor:
    """Attention with a residual feed-forward layer: [M, T, A, C], [M, T, B, C] -> [M, T, A, C].

    Source: the multihead attention block of the Set Transformer (Lee et al., ICML 2019), one head.
    """
    q = linear(params, f"{name}.query", queries)
    k, v = (linear(params, f"{name}.{part}", keys) for part in ("key", "value"))
    mixed = q + torch.softmax(q @ k.mT / math.sqrt(q.shape[-1]), dim=-1) @ v
    return mixed + F.relu(linear(params, f"{name}.forward", mixed))
