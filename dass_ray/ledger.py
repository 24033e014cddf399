"""The run ledger: which runs are done, as rows in Parquet parts of a store.

A part is one object with the rows of one shard of runs (or of a single long run). A run is done
when its row is in the store, and not before. Two parts may hold the same run after a crash or a
race, or once failed and once ended well after it was retried; readers see it once, and the better
one.
"""

import io
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.records import ROW_SCHEMA, SCHEMA_VERSION, RunRow
from dass_ray.store.base import Store

READERS = 16


def commit(store: Store, rows: Sequence[RunRow], *, retried: bool = False) -> bool:
    """Commits rows as one part; False where the same runs' part was there, which is as good.

    retried: the runs failed before, so the part gets a name of its own beside the failed one's.
    """
    keys = sorted(row.key for row in rows)
    name = keys[0] if len(keys) == 1 else content_hash("part", keys)
    if retried:
        name = content_hash("retried", keys, rows[0].attempt)
    return store.put(f"runs/{name[:2]}/{name}.parquet", to_parquet(rows))


def to_parquet(rows: Sequence[RunRow]) -> bytes:
    """The rows as one Parquet file in memory."""
    buffer = io.BytesIO()
    table = pa.Table.from_pylist([asdict(row) for row in rows], schema=ROW_SCHEMA)
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


def read(store: Store, columns: Sequence[str] | None = None) -> pa.Table:
    """All runs, each once, as a table of ROW_SCHEMA (or the columns named, `key` among them).

    UserError where a part was written by a newer version of this program.
    """
    wanted = None if columns is None else list(dict.fromkeys(["key", "schema_version", *columns]))
    needed = None if wanted is None else list(dict.fromkeys([*wanted, "status"]))
    with ThreadPoolExecutor(READERS) as pool:
        parts = list(pool.map(lambda p: _read_part(store, p, needed), store.list("runs")))
    table = pa.concat_tables(parts) if parts else ROW_SCHEMA.empty_table()
    return _once(table).select(wanted or table.column_names)


def _read_part(store: Store, path: str, columns: list[str] | None) -> pa.Table:
    table = pq.read_table(pa.BufferReader(store.get(path)), columns=columns)
    newest = pc.max(table["schema_version"]).as_py() or 0
    if newest > SCHEMA_VERSION:  # before parts are joined, since its columns may be others
        raise UserError(
            f"{store.uri} holds rows of schema {newest}, this version knows {SCHEMA_VERSION}: "
            "upgrade dass-ray"
        )
    return table


def _once(table: pa.Table) -> pa.Table:
    """The first row of every key that did not fail, else its first; sorted by key.

    So every reader sees one order, and a retried run's row in the place of its failed one.
    """
    failed = pc.cast(pc.equal(table["status"], "failed"), pa.int64())
    place = pc.add(pc.multiply(failed, len(table)), pa.array(range(len(table)), pa.int64()))
    numbered = table.append_column("_row", place)
    first = numbered.group_by("key").aggregate([("_row", "min")]).sort_by("key")
    return table.take(np.asarray(first["_row_min"]) % max(1, len(table)))


def done(store: Store) -> set[str]:
    """The keys of all runs that have a row, whatever its status."""
    return set(read(store, ["key"])["key"].to_pylist())


def rows(table: pa.Table) -> list[RunRow]:
    """The rows of a table with all columns."""
    return [RunRow(**row) for row in table.to_pylist()]


def rows_of(store: Store, keys: Iterable[str]) -> dict[str, RunRow]:
    """The rows of some runs by key; those that are not done are missing."""
    table = read(store)
    chosen = table.filter(pc.is_in(table["key"], pa.array(list(keys), pa.string())))
    return {row.key: row for row in rows(chosen)}
