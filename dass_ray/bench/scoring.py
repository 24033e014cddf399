"""Scores of students a second: one walk over their prefix tree, against one student at a time."""

from collections.abc import Callable
from typing import Literal

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor

from dass_ray.bench.timing import in_turn
from dass_ray.config import Signal
from dass_ray.explore.guided import ALIKE
from dass_ray.models.batch_norm import of_the_batch
from dass_ray.models.network import StagedNetwork, build, seeded
from dass_ray.models.prefix_tree import Room, Walk
from dass_ray.models.remap import remap
from dass_ray.predictor.comparisons import kl
from dass_ray.predictor.encode import noise
from dass_ray.predictor.memory import keep_freed_memory
from dass_ray.predictor.probes import Maps
from dass_ray.predictor.signals import SCORED, see, signals
from dass_ray.space import Space, Specs
from dass_ray.zero_cost import nwot, zen

CLASSES, IMAGES = 10, 128
NAMES: tuple[Signal, ...] = ("kl", "zen", "nwot")
Inputs = Literal["map", "signals"]
Ours = Callable[[Specs, torch.dtype], Tensor]
Plain = Callable[[StagedNetwork], Tensor]


def scoring(
    space: Space, inputs: Inputs, students: int, plain: int, rounds: int
) -> dict[str, float]:
    """Students/s on one thread, in batches as a search proposes them and at random.

    inputs: the paper's map of one noise image, or the signals that the shipped predictor sees;
    students: of one batch; plain: of them, as many are built, remapped and run one at a time. Also
    the largest difference of both ways relative to the largest value, and what bfloat16 brings.
    """
    torch.set_num_threads(1)
    keep_freed_memory()
    teacher = seeded(space, space.teacher, CLASSES, 0).eval()
    ours, one = _maps(teacher) if inputs == "map" else _signals(teacher)
    rng = np.random.default_rng(0)
    found, random = alike(space, students, rng), space.sample(students, rng)
    few = found[rng.permutation(students)[:plain]]
    float32, bfloat16 = torch.float32, torch.bfloat16

    def one_by_one() -> Tensor:
        nets = (build(space, spec, CLASSES) for spec in space.unpack(few))
        return torch.stack([one(remap(teacher, net).eval()) for net in nets])

    pair = in_turn(lambda: ours(found, float32), one_by_one, rounds)
    other = in_turn(lambda: ours(random, float32), lambda: ours(found, bfloat16), rounds)
    ratio = pair.plain / len(few) * students / pair.ours
    exact, expected = ours(few, float32), one_by_one()
    return {
        "candidates_per_s": students / pair.ours,
        "plain_candidates_per_s": len(few) / pair.plain,
        "ratio": ratio,
        "random_candidates_per_s": students / other.ours,
        "random_ratio": ratio * pair.ours / other.ours,
        "bfloat16_candidates_per_s": students / other.plain,
        "bfloat16_spearman": _agreement(ours(found, float32), ours(found, bfloat16)),
        "relative_difference": float((exact - expected).abs().max() / expected.abs().max()),
    }


def alike(space: Space, n: int, rng: np.random.Generator) -> Specs:
    """Random students, `ALIKE` of which share each first half of their stages, as in a search."""
    specs, half = space.sample(n, rng), len(space.widths) // 2
    heads = space.sample(-(-n // ALIKE), rng)
    specs[:, :half] = np.repeat(heads, ALIKE, axis=0)[:n, :half]
    return rng.permutation(specs)


def _agreement(a: Tensor, b: Tensor) -> float:
    """The least Spearman of columns, or of maps' means [N, ...]."""
    pair = [x.flatten(2).mean(dim=2) if x.ndim > 2 else x for x in (a, b)]
    columns = zip(pair[0].T, pair[1].T, strict=True)
    return min(float(spearmanr(x, y).statistic) for x, y in columns)


def _maps(teacher: StagedNetwork) -> tuple[Ours, Plain]:
    image = noise(1, teacher.space.image_size)
    room = Room.on(image.device)

    def ours(specs: Specs, dtype: torch.dtype) -> Tensor:
        return Walk(teacher, Maps(image, pooled=False), room, dtype)(specs)

    @torch.no_grad()
    def one(net: StagedNetwork) -> Tensor:
        return net.features(image)[0]

    return ours, one


def _signals(teacher: StagedNetwork) -> tuple[Ours, Plain]:
    images = noise(IMAGES, teacher.space.image_size)
    labels = torch.arange(IMAGES) % CLASSES
    room, theirs = Room.on(images.device), see(teacher, images, labels)

    def ours(specs: Specs, dtype: torch.dtype) -> Tensor:
        return signals(teacher, specs, images, labels, NAMES, room, dtype)

    @torch.no_grad()
    def one(net: StagedNetwork) -> Tensor:
        found = [zen.score(net, images, labels), nwot.score(net, images[:SCORED], labels)]
        return torch.tensor([kl(see(of_the_batch(net), images, labels), theirs), *found])

    return ours, one
