"""The first of the finished runs by a column, in one pass that keeps no more than are asked for."""

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dass_ray import ledger
from dass_ray.ledger.conditions import column_type
from dass_ray.ledger.scan import Condition
from dass_ray.records import ROW_SCHEMA
from dass_ray.store.base import Store


def first(
    store: Store,
    limit: int,
    columns: Sequence[str] | None,
    where: Sequence[Condition] = (),
    *,
    sort: str = "validation",
    ascending: bool = False,
) -> tuple[pa.Table, int]:
    """The first `limit` runs by a column, of equal ones by key, and of how many.

    Those without a value come last. Columns and conditions are those of `ledger.read`; UserError
    for a column that runs cannot be sorted by.
    """
    column_type(sort)
    order = {sort: "ascending" if ascending else "descending"}
    order.setdefault("key", "ascending")
    names = None if columns is None else [*columns, sort]
    kept, count = ROW_SCHEMA.empty_table(), 0
    for table in ledger.batches(store, names, where):
        count += len(table)
        kept = pa.concat_tables([kept.select(table.column_names), _first(table, limit, order)])
        kept = _first(kept, limit, order)
    return kept, count


def _first(table: pa.Table, limit: int, order: Mapping[str, str]) -> pa.Table:
    """Copies of the first rows, so that the others are let go; only `order` is sorted."""
    places = pc.sort_indices(table.select(list(order)), sort_keys=list(order.items()))
    return table.take(places[:limit])
