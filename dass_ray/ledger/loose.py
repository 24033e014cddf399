"""Reading loose parts: whole, since a small object costs one request, whatever one needs of it."""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

import pyarrow as pa
import pyarrow.dataset as ds

from dass_ray.ledger.part import GROUP, from_parquet
from dass_ray.store.base import Store

READERS = 16
AHEAD = 2 * READERS  # parts in memory at one time


def loose_parts(
    store: Store, paths: Sequence[str], columns: Sequence[str], where: ds.Expression | None = None
) -> Iterator[tuple[str, pa.Table]]:
    """Each part's path and its rows that meet the condition, in order; or NotFound."""

    def one(path: str) -> pa.Table:
        table = from_parquet(store.get(path), columns, store.uri)
        return table if where is None else table.filter(where)

    pool = ThreadPoolExecutor(READERS)
    try:
        left = iter(paths)
        waiting: deque[tuple[str, Future[pa.Table]]] = deque()
        while True:
            more = islice(left, AHEAD - len(waiting))
            waiting.extend((path, pool.submit(one, path)) for path in more)
            if not waiting:
                return
            path, table = waiting.popleft()
            yield path, table.result()
    finally:
        pool.shutdown(cancel_futures=True)


def loose_tables(
    store: Store, paths: Sequence[str], columns: Sequence[str], where: ds.Expression | None
) -> Iterator[pa.Table]:
    """The rows of the parts in tables of at least GROUP rows, but for the last one."""
    tables: list[pa.Table] = []
    for _, table in loose_parts(store, paths, columns, where):
        tables.append(table)
        if sum(map(len, tables)) >= GROUP:
            yield pa.concat_tables(tables)
            tables = []
    if tables:
        yield pa.concat_tables(tables)
