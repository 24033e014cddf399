"""Cutting runs into shards: what one Ray task distils, and one part of the ledger holds."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from dass_ray.plan import Block
from dass_ray.records import Run

SHORTEST_S = 2.0  # of a shard: its start and its commit take some hundredths of a second
PARTS = 4  # shards for each slot from what is left, so that all slots end at the same time


def target(left_s: float, slots: int, longest_s: float) -> float:
    """How long the next shard should take where `left_s` seconds of work are left, in s."""
    return min(longest_s, max(SHORTEST_S, left_s / (PARTS * slots)))


def cut(
    blocks: Iterable[Block],
    seconds: Callable[[Block], NDArray[np.float64]],
    target: Callable[[], float],
    most: int,
) -> Iterator[list[Run]]:
    """Shards of at most `most` runs that share their material, made when they are asked for.

    A shard takes at most `target()` seconds, which may change meanwhile; a longer run is alone in
    its own. seconds: expected for each run of a block.
    """
    group, spent, longest, material = list[Run](), 0.0, target(), None
    for block in blocks:
        for run, expected in zip(block.runs(), seconds(block).tolist(), strict=True):
            full = len(group) >= most or spent + expected > longest
            if group and (full or block.material != material):
                yield group
                group, spent, longest = [], 0.0, target()
            group.append(run)
            spent, material = spent + expected, block.material
    if group:
        yield group
