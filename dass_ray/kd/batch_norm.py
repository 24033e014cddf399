"""Batch normalisation over a batch that several processes share.

Letters: B images of one process, C channels, W processes.
"""

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dass_ray.errors import UserError


def synchronise(net: nn.Module, device: torch.device) -> None:
    """Makes a network's batch norms see the whole batch while it trains; nothing else changes.

    On CUDA by PyTorch's own module, which takes no tensors of a CPU; there by SharedBatchNorm, and
    with a UserError for norms of other shapes than images.
    """
    if device.type == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(net)
        return
    for parent in list(net.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.BatchNorm2d:
                setattr(parent, name, SharedBatchNorm.of(child))
            elif isinstance(child, _BatchNorm):
                raise UserError(
                    f"several workers cannot share a network with {type(child).__name__} on CPUs: "
                    "set resources.workers_per_run=1"
                )


class SharedBatchNorm(nn.BatchNorm2d):
    """nn.BatchNorm2d with the mean and variance of all processes' images, in training."""

    @classmethod
    def of(cls, norm: nn.BatchNorm2d) -> "SharedBatchNorm":
        """The same norm, over the same parameters and running statistics."""
        tracks = norm.track_running_stats
        made = cls(norm.num_features, norm.eps, norm.momentum, norm.affine, tracks)
        made.train(norm.training)
        made.weight, made.bias = norm.weight, norm.bias
        made.running_mean, made.running_var = norm.running_mean, norm.running_var
        made.num_batches_tracked = norm.num_batches_tracked
        return made

    def forward(self, x: Tensor) -> Tensor:
        """[B, C, H, W] -> the same shape."""
        if not (self.training and dist.is_initialized()):
            return super().forward(x)
        mean, var, count = _moments(x)
        self._remember(mean, var * (count / (count - 1)))
        weight = torch.ones_like(mean) if self.weight is None else self.weight
        bias = torch.zeros_like(mean) if self.bias is None else self.bias
        apply: Callable[..., Tensor] = _Normalise.apply
        return apply(x, weight, bias, mean, var, count, self.eps)

    @torch.no_grad()
    def _remember(self, mean: Tensor, var: Tensor) -> None:
        """As nn.BatchNorm2d does; var is unbiased."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked += 1
        newest = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, newest)
        self.running_var.lerp_(var, newest)


@torch.no_grad()
def _moments(x: Tensor) -> tuple[Tensor, Tensor, int]:
    """Mean and biased variance [C] of all processes' values, and how many there are of a channel.

    Joined as by Chan, Golub and LeVeque, 1979, which does not subtract large numbers.
    """
    var, mean = torch.var_mean(x.float(), dim=(0, 2, 3), correction=0)
    count = x.new_full((1,), x.numel() // x.shape[1], dtype=torch.float32)
    own = torch.cat([mean, var, count])
    parts = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(parts, own)
    means, variances, counts = torch.stack(parts).split([len(mean), len(var), 1], dim=1)
    shares = counts / counts.sum()
    mean = (shares * means).sum(dim=0)
    var = (shares * (variances + (means - mean) ** 2)).sum(dim=0)
    return mean, var, int(counts.sum())


class _Normalise(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias, where mean and var are of all processes' x.

    The gradients of weight and bias are of this process's images, as are those of any other layer.
    """

    @staticmethod
    def forward(
        ctx: Any,  # noqa: ANN401 - autograd's
        x: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, var: Tensor, count: int, eps: float,
    ) -> Tensor:  # fmt: skip
        ctx.save_for_backward(x, weight, mean, var)
        ctx.count, ctx.eps = count, eps
        return F.batch_norm(x, mean, var, weight, bias, training=False, eps=eps)

    @staticmethod
    def backward(ctx: Any, out: Tensor) -> tuple[Tensor | None, ...]:  # noqa: ANN401
        x, weight, mean, var = ctx.saved_tensors
        shape, inverse = (1, -1, 1, 1), (var + ctx.eps).rsqrt()
        normal = (x.float() - mean.view(shape)) * inverse.view(shape)
        of_bias = out.float().sum(dim=(0, 2, 3))
        of_weight = (out.float() * normal).sum(dim=(0, 2, 3))
        sums = torch.cat([of_bias, of_weight])
        dist.all_reduce(sums)
        shift, slope = (sums / ctx.count).chunk(2)
        own = out.float() - shift.view(shape) - normal * slope.view(shape)
        of_x = own * (inverse * weight).view(shape)
        return of_x.to(x.dtype), of_weight, of_bias, None, None, None, None
