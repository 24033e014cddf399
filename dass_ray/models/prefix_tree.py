"""Many remapped students in one walk over their prefix tree: what they share is computed once.

A student remapped by `first` computes what its teacher would, cut to the student's channels. So
students whose first blocks are equal share the activations of these blocks, and a level of the
tree, which is one block of one stage, runs all its nodes of equal widths as dense batches.
Equal to building, remapping and running each student, up to rounding.

Letters: N students, S stages, D blocks, m nodes, n nodes of one width, B images, C channels, H and
W a map's size, A numbers seen on the way, R results.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dass_ray.families import codes
from dass_ray.models.network import NetworkBlock, StagedNetwork
from dass_ray.models.nodes import Level, Nodes
from dass_ray.models.stacked import Moments, Stacked
from dass_ray.space import Specs

Ints = NDArray[np.int64]


class Probe(Protocol):
    """Images that go through the students, and what is looked at on the way and at the end.

    What is seen on the way, [n, A], is added up along each student's layers.
    """

    @property
    def images(self) -> Tensor:
        """[B, 3, ., .], on the teacher's device."""
        ...

    @property
    def group(self) -> int | None:
        """Batch norms take the statistics of so many images at a time; None: the teacher's own."""
        ...

    def normed(self, moments: Moments | None, maps: Tensor) -> Tensor | None:
        """What a batch norm tells: its input's moments, if it took them, and its output
        [n, B, C, H, W]; None where nothing is seen."""
        ...

    def stage(self, number: int, maps: Tensor) -> Tensor | None:
        """What the maps [n, B, C, H, W] at the end of a stage tell, by its number from 0."""
        ...

    def finish(self, maps: Tensor, seen: Tensor | None) -> Tensor:
        """Last maps [n, B, C, H, W], with what was seen [n, A] -> results [n, R]."""
        ...


@dataclass(frozen=True)
class Room:
    """How much is held: numbers (not bytes) in the maps of one level, and of one dense batch."""

    level: int
    batch: int

    @classmethod
    def on(cls, device: torch.device) -> "Room":
        """A share of a GPU's free memory; on a CPU what its caches like (measured)."""
        if device.type != "cuda":
            return cls(2**26, 2**19)
        free = torch.cuda.mem_get_info(device)[0] // 4  # numbers of four bytes
        return cls(free // 16, free // 64)  # a walk holds up to five levels, each with temporaries


@dataclass(frozen=True)
class Walk:
    """One probe through students of one teacher, which must be in eval mode.

    dtype: of the convolutions; all else is float32.
    """

    teacher: StagedNetwork
    probe: Probe
    room: Room
    dtype: torch.dtype = torch.float32

    @torch.no_grad()
    def __call__(self, specs: Specs) -> Tensor:
        """Students [N, S, D] -> results [N, R]; N > 0."""
        assert not self.teacher.training
        rows, inverse = np.unique(specs.astype(np.int64), axis=0, return_inverse=True)
        stems = self.teacher.space.inputs(rows)[:, 0, 0]
        widths, roots = np.unique(stems, return_inverse=True)
        parts = list(self._stages(0, self._stem(widths), roots.reshape(-1), rows))
        order = torch.from_numpy(inverse.reshape(-1)).to(parts[0].device)
        return torch.cat(parts).index_select(0, order)

    @property
    def _run(self) -> Stacked:
        return Stacked(self.probe.group, self.dtype)

    def _stem(self, widths: Ints) -> Level:
        """A node for each width that a student's stem has."""
        level = Level(self.room.batch)
        for number, width in enumerate(widths.tolist()):
            seen = _Seen(self.probe)
            maps = self.teacher.cut_begin(self._run, self.probe.images, width, seen)
            level.add(Nodes(np.array([number]), maps, seen.total))
        return level

    def _stages(self, s: int, level: Level, parent: Ints, rows: Ints) -> Iterator[Tensor]:
        """Results of students from stage `s` on, in their order, part by part.

        level: the nodes that they grow from; parent [m]: each student's; rows [m, S, D]: students
        in ascending order.
        """
        blocks = rows[:, s]
        first = _starts(parent, *blocks.T)  # of each different prefix
        ends = np.append(first[1:], len(rows))
        size = max(1, self.room.level // self._numbers(s))
        for i in range(0, len(first), size):
            some = first[i : i + size]
            grown = self._stage(s, level, parent[some], blocks[some])
            if s + 1 == len(self.teacher.stages):
                yield self._finished(grown, len(some))
                continue
            part = slice(some[0], ends[i : i + size][-1])
            own = np.searchsorted(some, np.arange(part.start, part.stop), side="right") - 1
            yield from self._stages(s + 1, grown, own, rows[part])

    def _numbers(self, s: int) -> int:
        """In the maps of a widest node of a stage."""
        strides = self.teacher.space.strides[: s + 1]
        side = self.probe.images.shape[-1] // int(np.prod(strides))
        return len(self.probe.images) * self.teacher.space.widths[s] * side**2

    def _stage(self, s: int, level: Level, parent: Ints, blocks: Ints) -> Level:
        """The ends of a stage: a node for each prefix [m] with its blocks [m, D]."""
        ended = Level(self.room.batch)
        alive, at, depths = np.arange(len(parent)), parent, (blocks > 0).sum(axis=1)
        for j, block in enumerate(self.teacher.blocks[s]):
            own = blocks[alive, j]
            first = _starts(at, own)
            level = self._grown(block, level, at[first], own[first])
            at = np.searchsorted(first, np.arange(len(alive)), side="right") - 1
            last = depths[alive] == j + 1
            for nodes in level.chosen(at[last], alive[last]):
                ended.add(self._at_the_end(s, nodes))
            alive, at = alive[~last], at[~last]
            if not len(alive):
                break
        return ended

    def _grown(self, block: NetworkBlock, level: Level, parent: Ints, kinds: Ints) -> Level:
        """Children by a block, each of a parent [m] and of a kind [m], a code."""
        grown = Level(self.room.batch)
        for nodes, mine in level.parents(parent):
            for code in np.unique(kinds[mine]).tolist():
                kids, numbers = mine[kinds[mine] == code], self._block(code)
                size = max(1, self.room.batch // nodes.maps[0].numel())
                for part in (kids[i : i + size] for i in range(0, len(kids), size)):
                    source = nodes.at(parent[part])
                    seen = _Seen(self.probe, source.seen)
                    maps = block.cut(self._run, source.maps, numbers, seen)
                    grown.add(Nodes(part, maps, seen.total))
        return grown

    def _block(self, code: int) -> tuple[int, ...]:
        """The numbers of a block, its width first."""
        return codes.numbers(codes.block(code, self.teacher.space.numbers))

    def _at_the_end(self, s: int, nodes: Nodes) -> Nodes:
        seen = _Seen(self.probe, nodes.seen)
        seen.add(self.probe.stage(s, nodes.maps))
        return Nodes(nodes.ids, nodes.maps, seen.total)

    def _finished(self, level: Level, m: int) -> Tensor:
        """Results [m, R] of the last stage's ends."""
        parts = list(level)
        found = torch.cat([self._finish(nodes) for nodes in parts])
        ids = torch.from_numpy(np.concatenate([nodes.ids for nodes in parts])).to(found.device)
        return torch.empty_like(found).index_copy_(0, ids, found)

    def _finish(self, nodes: Nodes) -> Tensor:
        """Results [n, R] of the last stage's ends of one width."""
        seen = _Seen(self.probe, nodes.seen)
        maps = self.teacher.cut_end(self._run, nodes.maps, seen)
        return self.probe.finish(maps, seen.total)


class _Seen:
    """The sum of what a probe sees on the way."""

    def __init__(self, probe: Probe, total: Tensor | None = None) -> None:
        self.probe, self.total = probe, total

    def __call__(self, moments: Moments | None, maps: Tensor) -> None:
        """Of a batch norm."""
        self.add(self.probe.normed(moments, maps))

    def add(self, more: Tensor | None) -> None:
        """Adds [n, A], if there is something."""
        if more is not None:
            self.total = more if self.total is None else self.total + more


def _starts(*columns: Ints) -> Ints:
    """Where a row of columns [m] differs from the one before it; equal rows must be neighbours."""
    changed = np.zeros(len(columns[0]), bool)
    changed[0] = True
    for column in columns:
        changed[1:] |= column[1:] != column[:-1]
    return np.flatnonzero(changed)
