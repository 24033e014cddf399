"""Groups of runs, counted in one pass: memory grows with the groups, not with the runs."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger.conditions import column_type
from dass_ray.ledger.scan import Condition
from dass_ray.records import ROW_SCHEMA
from dass_ray.store.base import Store

_TWICE = [("runs", "sum"), ("known", "sum"), ("sum", "sum"), ("least", "min"), ("most", "max")]


def groups(store: Store, by: Sequence[str], of: str, where: Sequence[Condition] = ()) -> pa.Table:
    """Runs by the values of columns: how many, and the mean, the least and the most of a number.

    by: different columns; the table has them, then `runs`, `mean`, `least` and `most`. Runs without
    the number count in `runs` alone. UserError where a column is not there, or `of` no number.
    """
    kinds = {name: column_type(name) for name in (of, *by)}
    if pa.types.is_string(kinds[of]):
        raise UserError(f"{of!r} is not a number: take the mean of another column")
    if repeated := [name for name in by if name == of or by.count(name) > 1]:
        raise UserError(f"{repeated[0]!r} is named twice: group by other columns")
    names = [*by, of]
    parts = [_counted(ROW_SCHEMA.empty_table().select(names), by, of)]
    for table in ledger.batches(store, names, where):
        parts = [_merged([*parts, _counted(table, by, of)], by)]
    (found,) = parts
    mean = pc.divide(found["sum"].cast(pa.float64()), found["known"])
    return found.select([*by, "runs"]).append_column("mean", mean).append_column(
        "least", found["least"]
    ).append_column("most", found["most"])  # fmt: skip


def _counted(table: pa.Table, by: Sequence[str], of: str) -> pa.Table:
    """The groups of one table: by, runs, known, sum, least, most."""
    kinds = [([], "count_all"), (of, "count"), (of, "sum"), (of, "min"), (of, "max")]
    found = table.group_by(list(by)).aggregate(kinds)
    return found.rename_columns([*by, "runs", "known", "sum", "least", "most"])


def _merged(parts: Sequence[pa.Table], by: Sequence[str]) -> pa.Table:
    found = pa.concat_tables(parts).group_by(list(by)).aggregate(_TWICE)
    return found.rename_columns([*by, *(name for name, _ in _TWICE)])
