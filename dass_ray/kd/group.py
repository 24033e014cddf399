"""Processes that train one network together, each on its share of every batch (data parallel).

They are the default group of `torch.distributed`; outside of one a process is alone, and all of
this leaves things as they are. Letters: N a length that is shared, W processes.
"""

from typing import cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from dass_ray.kd.batch_norm import synchronise


def size() -> int:
    """W; 1 where the process is alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def is_first() -> bool:
    """Whether this process is the one that writes and reports."""
    return not dist.is_initialized() or dist.get_rank() == 0


def share(values: Tensor) -> Tensor:
    """[N, ...] -> this process's part of it; the parts differ by one in length at most."""
    return values.tensor_split(size())[dist.get_rank()] if size() > 1 else values


def total(value: Tensor) -> Tensor:
    """The sum of a tensor over the processes; it has no gradient."""
    value = value.detach().clone()
    if size() > 1:
        dist.all_reduce(value)
    return value


def any_has(flag: bool) -> bool:
    """Whether it is true in any process: what they do about it, they do together."""
    if size() == 1:
        return flag
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    return bool(total(torch.tensor(int(flag), device=device)))


class OutOfStep(Exception):
    """The processes do not agree where they are; to begin again helps."""


def check_equal(what: str, number: int) -> None:
    """OutOfStep where the processes do not have the same number of something."""
    found: list[int] = [0] * size()
    if size() > 1:
        dist.all_gather_object(found, number)
        if len(set(found)) > 1:
            raise OutOfStep(f"the processes of a run differ in {what}: {found}")


def gathered(values: Tensor) -> Tensor:
    """[N/W, ...] of each process -> [N, ...], in the order of their shares.

    Each process's gradient is of its own part alone, W times as large, so that the mean over the
    processes, which `parallel` takes, is the gradient of a loss of the whole batch.
    """
    if size() == 1:
        return values
    own = values.detach()
    parts = [torch.empty_like(own) for _ in range(size())]
    dist.all_gather(parts, own.contiguous())
    parts[dist.get_rank()] = own + size() * (values - own)
    return torch.cat(parts)


def parallel(step: nn.Module, device: torch.device) -> nn.Module:
    """A module whose forward pass gives the loss of a share, for W of them.

    Its batch norms then see the whole batch, and its gradients are the mean over the processes.
    The module itself is changed; what is given back is what has to be called.
    """
    if size() == 1:
        return step
    synchronise(step, device)
    return cast("nn.Module", DistributedDataParallel(step, forward_sync_buffers=False))
