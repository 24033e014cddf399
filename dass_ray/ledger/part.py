"""One Parquet part of the ledger, to and from bytes."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dass_ray.errors import UserError
from dass_ray.records import ROW_SCHEMA, SCHEMA_VERSION, RunRow

GROUP = 65_536  # rows that are read, or passed over by a filter, together


def table_of(rows: Sequence[RunRow]) -> pa.Table:
    """Rows as a table of ROW_SCHEMA."""
    columns = {name: [getattr(row, name) for row in rows] for name in ROW_SCHEMA.names}
    return pa.table(columns, schema=ROW_SCHEMA)


def to_parquet(table: pa.Table) -> bytes:
    """A table as one Parquet file in memory."""
    buffer = pa.BufferOutputStream()
    pq.write_table(table, buffer, compression="zstd", row_group_size=GROUP)
    data: bytes = buffer.getvalue().to_pybytes()
    return data


def from_parquet(data: bytes, columns: Sequence[str], uri: str) -> pa.Table:
    """Some columns of a part of the store at `uri`; UserError where a newer version wrote it."""
    return known(pq.read_table(pa.BufferReader(data), columns=list(columns)), uri)


def known(table: pa.Table, uri: str) -> pa.Table:
    """The table, which has the column `schema_version`; UserError where its rows are newer."""
    newest = pc.max(table["schema_version"]).as_py() or 0
    if newest > SCHEMA_VERSION:  # before parts are joined, since its columns may be others
        raise UserError(
            f"{uri} holds rows of schema {newest}, this version knows {SCHEMA_VERSION}: "
            "upgrade dass-ray"
        )
    return table
