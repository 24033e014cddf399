"""Signals: what remapped, untrained students do with real training images of their task.

In what is compared with labels and teacher, batch norms take the statistics of the batch at hand,
since those of the teacher are wrong for a student that lacks channels and blocks: in effect they
are estimated anew. Zero-cost scores are taken as their sources say.
Letters: N students, B images, K classes, G signals.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import get_args

import torch
from torch import Tensor

from dass_ray.config import Signal
from dass_ray.models.network import StagedNetwork
from dass_ray.models.prefix_tree import Probe, Room, Walk
from dass_ray.predictor.comparisons import COMPARED, Seen
from dass_ray.predictor.probes import Codes, Comparisons, Noise
from dass_ray.space import Specs

SCORED = 32  # images that zero-cost scores look at
assert (*COMPARED, "zen", "nwot") == get_args(Signal)


def signals(
    teacher: StagedNetwork,
    specs: Specs,
    images: Tensor,
    labels: Tensor,
    names: Sequence[Signal],
    room: Room,
    dtype: torch.dtype = torch.float32,
    soft: Tensor | None = None,
) -> Tensor:
    """Signals [N, G] of students [N, S, D], float32 on the host.

    images: normalised [B, 3, H, W] on the teacher's device; labels: int64 [B] there; dtype: of the
    convolutions; soft: logits [B, K] there that students are compared with instead of the
    teacher's, where it stands for a network from elsewhere.
    """
    out = torch.empty(len(specs), len(names))
    for probe, columns in _probes(teacher.eval(), images, labels, names, soft):
        out[:, columns] = Walk(teacher, probe, room, dtype)(specs).float().cpu()
    return out


@torch.no_grad()
def _probes(
    teacher: StagedNetwork,
    images: Tensor,
    labels: Tensor,
    names: Sequence[Signal],
    soft: Tensor | None,
) -> Iterator[tuple[Probe, list[int]]]:
    """The probes that the signals need, and the columns that each fills."""
    compared = [name for name in names if name in COMPARED]
    if compared:
        own = see(teacher, images, labels)
        theirs = own if soft is None else replace(own, logits=soft)
        yield (
            Comparisons(teacher, images, labels, theirs, compared),
            [names.index(name) for name in compared],
        )
    if "zen" in names:
        yield Noise.like(images), [names.index("zen")]
    if "nwot" in names:
        yield Codes(images[:SCORED]), [names.index("nwot")]


def see(net: StagedNetwork, images: Tensor, labels: Tensor) -> Seen:
    """What is compared of one network, in the mode in which it is; images [B, 3, H, W]."""
    x, stages = net.begin(images), []
    for stage in net.blocks:
        for block in stage:
            x = block(x)
        stages.append(x)
    stages[-1] = net.end(x)
    features = tuple(maps.mean(dim=(2, 3)) for maps in stages)
    return Seen(features, net.head(features[-1]), labels)
