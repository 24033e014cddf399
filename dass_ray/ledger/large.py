"""Reading large parts: only the columns and the groups of rows that are needed."""

from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.dataset as ds

from dass_ray.errors import UserError
from dass_ray.ledger.manifest import Large
from dass_ray.ledger.part import GROUP, known
from dass_ray.records import ROW_SCHEMA
from dass_ray.store.base import NotFound, Store
from dass_ray.store.deadline import patience, within


class Unreadable(UserError):
    """A large part that is there could not be read; a second try may go well."""


TOGETHER = 8  # parts under the same credentials, which may end during a long scan


def large_tables(
    store: Store, parts: Sequence[Large], columns: Sequence[str], where: ds.Expression | None
) -> Iterator[pa.Table]:
    """Tables of at most GROUP rows, in the order of the parts; or NotFound, or Unreadable."""
    for start in range(0, len(parts), TOGETHER):
        some = parts[start : start + TOGETHER]
        limit = patience(max(part.size for part in some))
        try:
            left = within(limit, lambda: _batches(store, some, columns, where))  # noqa: B023
            while (batch := within(limit, lambda: next(left, None))) is not None:  # noqa: B023
                yield known(pa.Table.from_batches([batch]), store.uri)
        except (OSError, pa.ArrowException) as error:  # TimeoutError is an OSError
            raise _explained(store, some, error) from error


def _batches(
    store: Store, parts: Sequence[Large], columns: Sequence[str], where: ds.Expression | None
) -> Iterator[pa.RecordBatch]:
    files, root = store.filesystem()
    kind = ds.ParquetFileFormat()
    fragments = [
        kind.make_fragment("/".join(filter(None, (root, part.path))), files, file_size=part.size)
        for part in parts
    ]
    data = ds.FileSystemDataset(fragments, ROW_SCHEMA, kind, files)
    found: Iterator[pa.RecordBatch] = data.to_batches(
        columns=list(columns), filter=where, batch_size=GROUP, batch_readahead=2,
        fragment_readahead=2,
    )  # fmt: skip
    return found


def _explained(store: Store, parts: Sequence[Large], error: Exception) -> Exception:
    for part in parts:
        if not store.exists(part.path):
            return NotFound(f"no object {part.path} in {store.uri}")
    reason = (str(error).splitlines() or ["the server answers too slowly"])[0]
    return Unreadable(
        f"{store.uri}: cannot read {parts[0].path} or its neighbours: {reason}: check the "
        "credentials and the network, then run again"
    )
