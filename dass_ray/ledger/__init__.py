"""Layer 0: the run ledger: which runs are done, as rows in Parquet parts of a store.

A part is one object with the rows of one shard of runs (or of a single long run). A run is done
when its row is in the store, and not before. Two parts may hold the same run after a crash or a
race, or once failed and once ended well after it was retried; readers see it once, and the better
one. Compaction (`ledger.compact`) merges small parts into large ones while readers and writers go
on.

    runs/<2 hex>/<name>.parquet        loose parts, as they were committed
    compacted/<number>-<id>.parquet    large parts, made of loose ones
    manifest/<number>.json             which large parts count, and which loose ones they stand for
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from dass_ray.frozen import content_hash
from dass_ray.keys import KeySet, halves
from dass_ray.ledger.part import table_of, to_parquet
from dass_ray.ledger.scan import Condition, scan
from dass_ray.records import ROW_SCHEMA, RunRow
from dass_ray.store.base import Store

_NONE = pa.chunked_array([], pa.string())


def commit(store: Store, rows: Sequence[RunRow], *, retried: bool = False) -> bool:
    """Commits rows as one part; False where the same runs' part was there, which is as good.

    retried: the runs failed before, so the part gets a name of its own beside the failed one's.
    """
    keys = sorted(row.key for row in rows)
    name = keys[0] if len(keys) == 1 else content_hash("part", keys)
    if retried:
        name = content_hash("retried", keys, rows[0].attempt)
    return store.put(f"runs/{name[:2]}/{name}.parquet", to_parquet(table_of(rows)))


def read(
    store: Store, columns: Sequence[str] | None = None, where: Sequence[Condition] = ()
) -> pa.Table:
    """All runs that meet every condition, each once and sorted by key, as one table.

    The table is of ROW_SCHEMA, or of the columns named, `key` and `schema_version` among them. A
    condition is a column, an operator as pyarrow writes it (`==`, `in`, `<=`, ...) and a value.

    UserError where a part was written by a newer version of this program, or cannot be read.
    """
    wanted = _wanted(columns)
    found = list(scan(store, wanted, where))
    empty = ROW_SCHEMA.empty_table().select(wanted)
    return pa.concat_tables([empty, *found]).sort_by("key")


def batches(
    store: Store, columns: Sequence[str] | None = None, where: Sequence[Condition] = ()
) -> Iterator[pa.Table]:
    """The same runs in tables of some ten thousand rows, in no order: memory does not grow.

    Beside a table only 32 bytes a run are held, and the runs that failed.
    """
    yield from scan(store, _wanted(columns), where)


def _wanted(columns: Sequence[str] | None) -> list[str]:
    if columns is None:
        return list(ROW_SCHEMA.names)
    return list(dict.fromkeys(["key", "schema_version", *columns]))


def done_keys(store: Store) -> KeySet:
    """The keys of all runs that have a row, whatever its status, 32 bytes each."""
    found = [halves(table["key"]) for table in batches(store, ["key"])]
    return KeySet(np.sort(np.concatenate([halves(_NONE), *found])))


def done(store: Store) -> set[str]:
    """The keys of all runs that have a row, whatever its status; 200 bytes each."""
    return set(read(store, ["key"])["key"].to_pylist())


def rows(table: pa.Table) -> list[RunRow]:
    """The rows of a table with all columns."""
    return [RunRow(**row) for row in table.to_pylist()]


def rows_of(store: Store, keys: Iterable[str]) -> dict[str, RunRow]:
    """The rows of some runs by key; those that are not done are missing."""
    chosen = read(store, where=[("key", "in", sorted(keys))])
    return {row.key: row for row in rows(chosen)}
