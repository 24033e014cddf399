"""Compaction: loose parts become large ones, step by step, while others read and write.

A step writes large parts, then commits the next manifest, which is what makes them count. Killed
before that it has changed nothing; of two compactors one wins each step and the other starts again
from its result. What is merged is deleted later, by `ledger.sweep`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from time import time
from uuid import uuid4

import pyarrow as pa

from dass_ray.errors import UserError
from dass_ray.ledger import manifest as manifests
from dass_ray.ledger.large import large_tables
from dass_ray.ledger.loose import loose_parts
from dass_ray.ledger.manifest import LARGE, Large, Manifest
from dass_ray.ledger.once import Once
from dass_ray.ledger.part import to_parquet
from dass_ray.ledger.snapshot import Snapshot
from dass_ray.records import ROW_SCHEMA
from dass_ray.store.base import NotFound, Store
from dass_ray.watch import Silent, Watcher

ROWS = 131_072  # at least, of a full large part: some 12 MB, and 0.5 GB of memory while it is made
PARTS = 8  # large ones in one step, which a kill can cost
FEWEST = 2  # loose parts that are worth a step
TRIES = 20  # steps in a row that others win


@dataclass(frozen=True)
class Compacted:
    """What a compaction did."""

    merged: int = 0  # loose parts
    rows: int = 0  # of large parts that were written
    lost: int = 0  # steps that another compactor won

    def plus(self, other: "Compacted") -> "Compacted":
        """Both together."""
        return Compacted(self.merged + other.merged, self.rows + other.rows, self.lost + other.lost)


def compact(store: Store, watcher: Watcher | None = None, *, rows: int = ROWS) -> Compacted:
    """Merges the loose parts that are there now into large ones of so many rows.

    UserError where the store has no conditional puts, or other compactors win all the time.
    """
    if not store.exclusive:
        raise UserError(f"{store.uri} has no conditional puts: compact it through s3:// or a disk")
    watcher, out, lost = watcher or Silent(), Compacted(), 0
    snapshot = Snapshot.of(store)
    goal = frozenset(snapshot.loose)
    watcher.phase("merging parts", len(goal))
    while len(goal.intersection(snapshot.loose)) >= FEWEST:
        step = _step(store, snapshot, rows)
        lost = 0 if step else lost + 1
        if lost == TRIES:
            raise UserError(f"{store.uri}: other compactors are at work: run again later")
        out = out.plus(step or Compacted(lost=1))
        snapshot = Snapshot.of(store)
        watcher.step(len(goal.difference(snapshot.loose)), "")
    return out


def _step(store: Store, snapshot: Snapshot, rows: int) -> Compacted | None:
    """Merges some loose parts and the large one that is not full; None where others won."""
    old, made, merged = snapshot.manifest, list[Large](), list[str]()
    # Only the last one, so that of two rows of one run the same one stays in front.
    small = tuple(part for part in old.parts[-1:] if part.rows < rows)
    try:
        for paths, table in islice(_groups(store, small, snapshot.loose, rows), PARTS):
            made.append(_write(store, old.number + 1, table))
            merged += paths
    except NotFound as error:
        if manifests.newest(store).number == old.number:
            raise UserError(f"{error}, but the newest manifest needs it: restore it") from error
    else:
        if manifests.commit(store, _next(snapshot, small, made, merged)):
            return Compacted(len(merged), sum(part.rows for part in made))
    for part in made:  # the number that they were made for is another writer's for ever
        store.delete(part.path)
    return None


def _next(
    snapshot: Snapshot, small: Sequence[Large], made: Sequence[Large], merged: Sequence[str]
) -> Manifest:
    old = snapshot.manifest
    return Manifest(
        number=old.number + 1,
        created_at=time(),
        parts=(*(part for part in old.parts if part not in small), *made),
        covered=tuple(sorted({*merged, *frozenset(old.covered).intersection(snapshot.listed)})),
    )


def _groups(
    store: Store, small: Sequence[Large], loose: Sequence[str], rows: int
) -> Iterator[tuple[list[str], pa.Table]]:
    """Loose parts, whole ones, for one large part each, and the rows of that: the last may be few.

    The rows of a large part that is not full come into the first one.
    """
    paths: list[str] = []
    tables = list(large_tables(store, small, ROW_SCHEMA.names, None))
    for path, table in loose_parts(store, loose, ROW_SCHEMA.names):
        paths.append(path)
        tables.append(table)
        if sum(map(len, tables)) >= rows:
            yield paths, _once(tables)
            paths, tables = [], []
    if paths:
        yield paths, _once(tables)


def _once(tables: Sequence[pa.Table]) -> pa.Table:
    """Each run once, those of one task together, so that a filter can pass over the others."""
    once = Once()
    new = once.new(pa.concat_tables(tables))
    return pa.concat_tables([new, *once.failed()]).sort_by(
        [("dataset", "ascending"), ("teacher", "ascending"), ("key", "ascending")]
    )


def _write(store: Store, number: int, table: pa.Table) -> Large:
    data = to_parquet(table)
    path = f"{LARGE}/{number:08d}-{uuid4().hex}.parquet"
    store.put(path, data)
    return Large(path=path, rows=len(table), size=len(data))
