"""Nodes of a prefix tree, stacked by width.

Letters: n nodes of one width, B images, C channels, H and W a map's size, A numbers seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Nodes:
    """Nodes of one width: their numbers [n], maps [n, B, C, H, W], what was seen [n, A]."""

    ids: Ints
    maps: Tensor
    seen: Tensor | None

    def at(self, numbers: Ints) -> "Nodes":
        """Nodes of some numbers, all of which are here; a number may be asked for twice."""
        where = self._where(numbers)
        first, last = int(where[0]), int(where[-1]) + 1
        if len(where) == last - first and (np.diff(where) == 1).all():  # a view, no copy
            seen = None if self.seen is None else self.seen[first:last]
            return Nodes(numbers, self.maps[first:last], seen)
        index = torch.from_numpy(where).to(self.maps.device)
        seen = None if self.seen is None else self.seen.index_select(0, index)
        return Nodes(numbers, self.maps.index_select(0, index), seen)

    def _where(self, numbers: Ints) -> Ints:
        order = np.argsort(self.ids, kind="stable")
        where: Ints = order[np.searchsorted(self.ids, numbers, sorter=order)]
        return where


class Level:
    """Nodes of all widths, those of one width joined into stacks of about `batch` numbers."""

    def __init__(self, batch: int) -> None:
        self.batch, self.stacks = batch, dict[int, list[list[Nodes]]]()

    def add(self, nodes: Nodes) -> None:
        """Adds nodes of one width."""
        stacks = self.stacks.setdefault(nodes.maps.shape[2], [[]])
        if sum(some.maps.numel() for some in [*stacks[-1], nodes]) > self.batch and stacks[-1]:
            stacks.append([])
        stacks[-1].append(nodes)

    def __iter__(self) -> Iterator[Nodes]:
        for stacks in self.stacks.values():
            for stack in stacks:
                stack[:] = [_joined(stack)]
                yield stack[0]

    def parents(self, wanted: Ints) -> Iterator[tuple[Nodes, Ints]]:
        """Each stack with the places in `wanted` that name one of its nodes, where there are."""
        for nodes in self:
            mine = np.flatnonzero(np.isin(wanted, nodes.ids))
            if len(mine):
                yield nodes, mine

    def chosen(self, wanted: Ints, names: Ints) -> Iterator[Nodes]:
        """The wanted nodes under new names, stack by stack."""
        for nodes, mine in self.parents(wanted):
            found = nodes.at(wanted[mine])
            yield Nodes(names[mine], found.maps, found.seen)


def _joined(stack: list[Nodes]) -> Nodes:
    if len(stack) == 1:
        return stack[0]
    seen = [part.seen for part in stack if part.seen is not None]
    return Nodes(
        np.concatenate([part.ids for part in stack]),
        torch.cat([part.maps for part in stack]),
        torch.cat(seen) if seen else None,
    )
