"""Reading the ledger in one pass: large parts in ranges, loose ones whole, each run once."""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from dass_ray.errors import UserError
from dass_ray.ledger.large import Unreadable, large_tables
from dass_ray.ledger.loose import loose_tables
from dass_ray.ledger.once import Once
from dass_ray.ledger.snapshot import Snapshot
from dass_ray.records import ROW_SCHEMA
from dass_ray.store.base import NotFound, Store
from dass_ray.store.retry import attempts

Condition = tuple[str, str, Any]  # column, operator, value
TRIES = 5  # at snapshots whose parts are deleted meanwhile

OUTCOME = frozenset(
    {
        "status", "error", "validation", "validation_best", "test", "curve", "seconds", "device",
        "host", "started_at", "attempt", "code_version", "schema_version",
    }
)  # fmt: skip
"""What two rows of one run may differ in. Conditions on these are asked after one row was chosen,
all others while reading, so that filtered and unfiltered reads show the same row of a run."""


def scan(
    store: Store, columns: Sequence[str], where: Sequence[Condition] = ()
) -> Iterator[pa.Table]:
    """Tables of the columns, of runs that meet all conditions; see `ledger.batches`."""
    asked = [name for name, _, _ in where]
    if unknown := sorted({*columns, *asked} - {*ROW_SCHEMA.names}):
        raise UserError(f"a run has no {unknown[0]!r}; it has {', '.join(ROW_SCHEMA.names)}")
    needed = list(dict.fromkeys([*columns, "key", "schema_version", "status", *asked]))
    early = _expression([c for c in where if c[0] not in OUTCOME])
    late = _expression([c for c in where if c[0] in OUTCOME])
    for table in _each_once(store, needed, early):
        chosen = table if late is None else table.filter(late)
        if len(chosen):
            yield chosen.select(list(columns))


def _expression(conditions: list[Condition]) -> ds.Expression | None:
    if not conditions:
        return None
    # Arrow cannot tell the type of an empty list of values.
    typed = [
        (name, how, pa.array(value, ROW_SCHEMA.field(name).type) if "in" in how else value)
        for name, how, value in conditions
    ]
    return pq.filters_to_expression(typed)


def _each_once(store: Store, columns: list[str], early: ds.Expression | None) -> Iterator[pa.Table]:
    """Goes on with a new snapshot where a part was deleted because a newer large one holds it.

    Also where one could not be read, as pyarrow gives up after five attempts within seconds. Rows
    that passed before do not pass again, so that this is not seen from outside.
    """
    once = Once()
    for last in attempts(TRIES, math.inf):  # a scan that goes well may take hours
        snapshot = Snapshot.of(store)
        try:
            for table in large_tables(store, snapshot.manifest.parts, columns, early):
                yield once.new(table)
            for table in loose_tables(store, snapshot.loose, columns, early):
                yield once.new(table)
        except Unreadable:
            if last:
                raise
        except NotFound as error:
            if last:
                advice = "is someone deleting parts of the ledger?"
                raise UserError(f"{error}, {TRIES} times in a row: {advice}") from error
        else:
            yield from once.failed()
            return
