"""Weights as bytes: safetensors, and a fingerprint of their content."""

import hashlib
from collections.abc import Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor, nn

from dass_ray.errors import UserError


def to_bytes(state: Mapping[str, Tensor]) -> bytes:
    """The safetensors form of named tensors."""
    data: bytes = save({name: value.detach().cpu().contiguous() for name, value in state.items()})
    return data


def from_bytes(data: bytes, where: str) -> dict[str, Tensor]:
    """Named tensors of a safetensors object; UserError naming `where` if it is not one."""
    try:
        state: dict[str, Tensor] = load(data)
    except SafetensorError as error:
        raise UserError(f"{where} is not a readable safetensors file: {error}") from None
    return state


def fingerprint(state: Mapping[str, Tensor]) -> str:
    """SHA-256 hex over names, shapes, types and values: the same weights have the same one."""
    digest = hashlib.sha256()
    for name in sorted(state):
        value = state[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(value.shape)}{value.dtype}".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_into(net: nn.Module, state: Mapping[str, Tensor], where: str) -> None:
    """Loads weights into a network; UserError naming the first tensor that does not fit."""
    own = net.state_dict()
    wrong = sorted(own.keys() ^ state.keys()) or [
        name for name in own if own[name].shape != state[name].shape
    ]
    if wrong:
        name = wrong[0]
        want = tuple(own[name].shape) if name in own else "none"
        have = tuple(state[name].shape) if name in state else "none"
        raise UserError(
            f"{where} does not fit this network: tensor {name!r} has shape {have}, needed is {want}"
        )
    net.load_state_dict(dict(state))
