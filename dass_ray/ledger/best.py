"""The best of the finished runs, found in one pass that keeps no more than are asked for."""

from collections.abc import Sequence

import pyarrow as pa

from dass_ray import ledger
from dass_ray.ledger.scan import Condition
from dass_ray.records import ROW_SCHEMA
from dass_ray.store.base import Store

ORDER = [("validation", "descending"), ("key", "ascending")]


def best(
    store: Store, limit: int, columns: Sequence[str] | None, where: Sequence[Condition] = ()
) -> tuple[pa.Table, int]:
    """The `limit` runs that are best on validation, best first, and of how many.

    Those without an accuracy come last. Columns and conditions are those of `ledger.read`.
    """
    names = None if columns is None else [*columns, "validation"]
    kept, count = ROW_SCHEMA.empty_table(), 0
    for table in ledger.batches(store, names, where):
        count += len(table)
        top = pa.concat_tables([kept.select(table.column_names), table])
        kept = top.sort_by(ORDER).slice(0, limit).combine_chunks()  # lets go of the rest
    return kept, count
