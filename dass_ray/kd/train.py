"""The one training loop: teachers and students differ in the loss alone.

All randomness comes from (seed, epoch), so a run that is resumed at an epoch equals one that was
never stopped. Several processes may train one network, see group.py: its result is that of one
process but for rounding. Letters: B batch, K classes.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dass_ray.data.augment import normalise
from dass_ray.data.dataset import Dataset, Split
from dass_ray.kd import group
from dass_ray.kd.checkpoint import Checkpoints, NoCheckpoints
from dass_ray.kd.trained import Trained
from dass_ray.kd.views import EVAL_BATCH, batch, view
from dass_ray.recipe import TrainRecipe


@dataclass(frozen=True)
class Shown:
    """What one step shows, on the network's device.

    view: index of the view; chosen: indices [B] of its images; images: normalised float32
    [B, 3, H, W]; labels: int64 [B]. In a group of processes, B is of this process's share.
    """

    view: int
    chosen: Tensor
    images: Tensor
    labels: Tensor


Loss = Callable[[nn.Module, Shown], Tensor]
"""(network in train mode, what is shown) -> scalar."""
OnEpoch = Callable[[int, int, float], None]
"""(epochs done, epochs in all, validation accuracy) is called after every epoch."""


class _Step(nn.Module):
    """The loss as a forward pass, whose gradients a group of processes can share."""

    def __init__(self, net: nn.Module, loss: Loss) -> None:
        super().__init__()
        self.net, self.loss = net, loss

    def forward(self, shown: Shown) -> Tensor:
        return self.loss(self.net, shown)


def train(
    net: nn.Module,
    dataset: Dataset,
    recipe: TrainRecipe,
    loss: Loss,
    *,
    seed: int,
    views: int | None = None,
    checkpoints: Checkpoints | None = None,
    on_epoch: OnEpoch | None = None,
) -> Trained:
    """Trains `net` in place; data set and network must be on one device.

    In a group of processes, each calls this with the same arguments, and the batches must divide by
    their number.
    views: epochs show the fixed views 0..views-1 in turn; None shows a new view every epoch.
    A loss that is not finite ends the training with status "diverged": a result, not an error.
    """
    checkpoints = checkpoints or NoCheckpoints()
    step = group.parallel(_Step(net, loss), dataset.device)
    epochs = recipe.epochs_for(len(dataset.train))
    steps = epochs * steps_per_epoch(len(dataset.train), recipe)
    optimizer = torch.optim.SGD(
        net.parameters(), lr=recipe.lr, momentum=recipe.momentum,
        nesterov=recipe.momentum > 0, weight_decay=recipe.weight_decay, fused=True,
    )  # fmt: skip
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate(step, steps, recipe))
    state = checkpoints.load(net, optimizer, schedule) or Trained()
    group.check_equal("the epochs that are done", len(state.curve))
    for epoch in range(len(state.curve), epochs):
        started = time.perf_counter()
        index = (seed << 20) + epoch if views is None else epoch % views
        loss_sum = _epoch(step, dataset, recipe, optimizer, schedule, seed, epoch, index)
        if not math.isfinite(loss_sum):
            state.status = "diverged"
            break
        state.curve.append(_shared_accuracy(net, dataset, dataset.validation))
        state.seconds += time.perf_counter() - started
        if on_epoch:
            on_epoch(epoch + 1, epochs, state.curve[-1])
        checkpoints.save(net, optimizer, schedule, state)
    return state


def _epoch(
    step: nn.Module,
    dataset: Dataset,
    recipe: TrainRecipe,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    seed: int,
    epoch: int,
    index: int,
) -> float:
    """One pass in an order drawn from (seed, epoch); returns the sum of the steps' losses."""
    step.train()
    draws = view(dataset, recipe, index)
    total = torch.zeros((), device=dataset.device)
    order = _order(len(dataset.train), recipe, seed, epoch).to(total.device)
    for chosen in map(group.share, order.split(recipe.batch_size)):
        images, labels = batch(dataset, draws, chosen), dataset.train.labels[chosen]
        value = step(Shown(index, chosen, images, labels))
        optimizer.zero_grad()
        value.backward()
        if recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(step.parameters(), recipe.clip_norm)
        optimizer.step()
        schedule.step()
        total += value.detach()
    return float(group.total(total) / group.size())


def _order(n: int, recipe: TrainRecipe, seed: int, epoch: int) -> Tensor:
    """Indices in random order, on the host; those of an incomplete last batch are left out."""
    generator = torch.Generator().manual_seed((seed << 20) + epoch)
    order = torch.randperm(n, generator=generator)
    return order[: steps_per_epoch(n, recipe) * recipe.batch_size]


def steps_per_epoch(n: int, recipe: TrainRecipe) -> int:
    """Optimiser steps in one pass over n images; at least one."""
    return max(1, n // recipe.batch_size)


def rate(step: int, steps: int, recipe: TrainRecipe) -> float:
    """The learning rate at a step as a share of `lr`: linear warm-up, then cosine to zero."""
    warm = recipe.warmup * steps
    if step < warm:
        return (step + 1) / (warm + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / (steps - warm))))


def accuracy(net: nn.Module, dataset: Dataset, split: Split) -> float:
    """Share of a split's images whose largest logit is their label's, in eval mode."""
    return float(_right(net, dataset, split.images, split.labels)) / len(split)


def _shared_accuracy(net: nn.Module, dataset: Dataset, split: Split) -> float:
    """The same, where each process of a group looks at its share of the split."""
    own = group.share(split.images), group.share(split.labels)
    return float(group.total(_right(net, dataset, *own))) / len(split)


@torch.no_grad()
def _right(net: nn.Module, dataset: Dataset, images: Tensor, labels: Tensor) -> Tensor:
    """How many of the images [B, 3, H, W] have their label's [B] logit as the largest."""
    net.eval()
    right = torch.zeros((), dtype=torch.long, device=dataset.device)
    for some, wanted in zip(images.split(EVAL_BATCH), labels.split(EVAL_BATCH), strict=True):
        logits = net(normalise(some.to(dataset.device), dataset.mean, dataset.std))
        right += (logits.argmax(dim=1) == wanted.to(dataset.device)).sum()
    return right
