"""The best of the finished runs, found in one pass that keeps no more than are asked for."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

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
        kept = pa.concat_tables([kept.select(table.column_names), _first(table, limit)])
        kept = _first(kept, limit)
    return kept, count


def _first(table: pa.Table, limit: int) -> pa.Table:
    """Copies of the first rows, so that the others are let go; only two columns are sorted."""
    order = pc.sort_indices(table.select([name for name, _ in ORDER]), sort_keys=ORDER)
    return table.take(order[:limit])
