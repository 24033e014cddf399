"""What one process does, or a group of two together: `python -m tests.kd.pair RANK FOLDER`.

The tests compare what comes of it.
"""

import os
import sys
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import nn

from dass_ray.kd import group
from dass_ray.kd.batch_norm import synchronise
from dass_ray.kd.checkpoint import Leaving, StoreCheckpoints
from dass_ray.kd.distill import distil
from dass_ray.kd.train import train
from dass_ray.kd.views import soft_labels
from dass_ray.models.network import seeded
from dass_ray.recipe import KDRecipe, TrainRecipe
from dass_ray.store import open_store

from .. import make_task
from ..make import KD, TINY

RECIPE = TrainRecipe(
    epochs=4, batch_size=16, lr=0.05, warmup=0.3, clip_norm=1.0, weight_decay=1e-3, crop_padding=1
)
EVERY_LOSS = {
    "logits": 1, "decoupled": 0.5, "dist": 1, "attention": 2, "hints": 1, "relational": 3,
}  # fmt: skip


def norm(_folder):
    """A share's way through batch norms and back, and what they remember."""
    random = torch.Generator().manual_seed(0)
    net = nn.Sequential(
        nn.BatchNorm2d(3), nn.Sequential(nn.BatchNorm2d(3, eps=1e-3, momentum=None)),
        nn.BatchNorm2d(3, affine=False, track_running_stats=False), nn.BatchNorm2d(3),
    )  # fmt: skip
    for values in net.parameters():
        values.data.uniform_(-1, 2, generator=random)
    if group.size() > 1:
        synchronise(net, torch.device("cpu"))
    images = torch.randn(7, 3, 4, 5, generator=random) * 3 + 50  # the shares are 4 and 3 images
    weights = torch.randn(images.shape, generator=random)
    own = group.share(images).requires_grad_()
    out = net(own)
    (out * group.share(weights)).sum().backward()
    gradients = {name: group.total(value.grad) for name, value in net.named_parameters()}
    trained = {"out": out.detach(), "back": own.grad, **gradients, **net.state_dict()}
    return trained | {"eval": net[:2].eval()(own).detach()}


def training(_folder):
    """Weights and curve of a training on labels."""
    return _train()


def resumed(folder):
    """The same, stopped in its middle, from the store's checkpoint."""
    store = open_store(str(folder / "resumed"))
    try:
        _train(checkpoints=StoreCheckpoints(store, "run", 0.0), on_epoch=_stop_at(3))
    except _Stopped:
        return _train(checkpoints=StoreCheckpoints(store, "run", 0.0))
    raise AssertionError("it was to be stopped")


def distilled(_folder):
    """A run with the usual loss, and images without labels."""
    return _distil(KD, make_task.with_unlabelled(make_task.dataset()))


def every_loss(_folder):
    """A run with all losses at once, some of which compare the images of a batch."""
    return _distil(KDRecipe(**KD.model_dump() | {"losses": EVERY_LOSS}), make_task.dataset())


def bfloat16(_folder):
    """A run in mixed precision."""
    return _distil(KDRecipe(**KD.model_dump() | {"precision": "bfloat16"}), make_task.dataset())


def diverged(_folder):
    """A training whose loss is not finite in the share of one process alone."""
    data = make_task.dataset()

    def loss(net, shown):
        value = F.cross_entropy(net(shown.images), shown.labels)
        return value * (torch.nan if 0 in shown.chosen else 1)

    net = seeded(TINY, TINY.teacher, 3, 1)
    return {"status": train(net, data, RECIPE, loss, seed=1).status}


def leaving(folder):
    """The node of the last process is told to go."""
    told = not group.is_first()
    store = open_store(str(folder / f"leaving-{told}"))
    try:
        _train(checkpoints=StoreCheckpoints(store, "run", leaving=lambda: group.any_has(told)))
    except Leaving:
        return {"kept": store.list("checkpoints")}
    raise AssertionError("it was to leave")


def differing(_folder):
    """Processes that would go on at different epochs."""
    try:
        group.check_equal("the epochs that are done", 3 + group.is_first())
    except group.OutOfStep as error:
        return {"error": str(error)}
    return {"error": ""}


CASES = (norm, training, resumed, distilled, every_loss, bfloat16, diverged, leaving, differing)


class _Stopped(Exception):
    pass


def _stop_at(epoch):
    def on_epoch(done, _epochs, _accuracy):
        if done == epoch:
            raise _Stopped

    return on_epoch


def _train(**more):
    net = seeded(TINY, TINY.teacher, 3, 1)

    def loss(net, shown):
        return F.cross_entropy(net(shown.images), shown.labels)

    found = train(net, make_task.dataset(), RECIPE, loss, seed=1, **more)
    return {"curve": found.curve, **net.state_dict()}


def _distil(recipe, data):
    teacher = make_task.teacher()
    labels = soft_labels(teacher, data, recipe)
    found = distil(TINY.smallest, teacher, labels, data, recipe, 0)
    return {"curve": found.trained.curve, "test": found.test, **found.net.state_dict()}


def main(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", store=dist.FileStore(str(folder / "meeting"), 2), rank=rank, world_size=2,
        timeout=timedelta(seconds=60),
    )  # fmt: skip
    torch.save({case.__name__: case(folder) for case in CASES}, folder / f"{rank}.pt")
    dist.destroy_process_group()
    # As Ray ends its workers. DDP leaves Gloo's threads behind, and one that still holds a tensor
    # ends a process that Python is clearing away with SIGABRT.
    os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
