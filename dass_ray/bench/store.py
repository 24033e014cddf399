"""The ledger at scale: append, plan-resume, compaction and scan, beside the plain ways."""

import io
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from dass_ray import ledger
from dass_ray.bench.made_up import key, shards
from dass_ray.bench.process import Spent, alone
from dass_ray.ledger.compact import compact
from dass_ray.records import RunRow
from dass_ray.store import open_store
from dass_ray.store.base import Store

ALONE = 300  # runs at most that get an object each
BLOCK = 1024  # keys of a plan that are asked for together
FILTER = [("dataset", "==", "data-3"), ("validation", ">=", 0.99)]
COLUMNS = ["spec", "validation"]


def store(rows: int, uri: str | None) -> dict[str, float]:
    """Seconds and peak GiB for a plan of so many runs; ratio: of the two ways to resume it.

    Half of the plan is committed, in parts of 1,000 runs, and the plan resumed; then the rest, and
    all of it is read. With a URI everything is below a new folder there and deleted at the end.
    The plain way reads every column of every part before it looks at any, and commits each run on
    its own.
    """
    with _places(uri) as (ours, plain):
        figures = {"rows": float(rows), **_append(ours, plain, rows // 2)}
        figures |= _resume(ours, rows)
        alone(_fill, ours, rows // 2, rows)
        return figures | _scan(ours, rows)


def _append(place: str, other: str, rows: int) -> dict[str, float]:
    ours, plain = alone(_fill, place, 0, rows), alone(_one_by_one, other, min(rows, ALONE))
    return {
        "append_rows_per_s": rows / ours.result,
        "plain_append_rows_per_s": min(rows, ALONE) / plain.result,
        "append_gib": ours.gib,
    }


def _resume(place: str, rows: int) -> dict[str, float]:
    loose, plain = alone(_missing, place, rows), alone(_plain_missing, place, rows)
    merged, large = alone(_compact, place), alone(_missing, place, rows)
    assert loose.result == plain.result == large.result == rows - rows // 2
    return {
        **_figures("resume", loose), **_figures("plain_resume", plain),
        **_figures("compact", merged), **_figures("compacted_resume", large),
        "ratio": plain.seconds / loose.seconds,
    }  # fmt: skip


def _scan(place: str, rows: int) -> dict[str, float]:
    loose, merged = alone(_read, place), alone(_compact, place)
    large, plain = alone(_read, place), alone(_plain_read, place)
    some, plain_some = alone(_filtered, place), alone(_plain_filtered, place)
    assert loose.result == large.result == plain.result == rows
    assert some.result == plain_some.result
    ours = (loose, merged, large, some)
    return {
        **_figures("scan", loose), **_figures("compacted_scan", large),
        **_figures("plain_scan", plain), **_figures("filtered", some),
        **_figures("plain_filtered", plain_some), "peak_gib": max(one.gib for one in ours),
    }  # fmt: skip


def _figures(name: str, spent: Spent) -> dict[str, float]:
    return {f"{name}_s": spent.seconds, f"{name}_gib": spent.gib}


@contextmanager
def _places(uri: str | None) -> Iterator[list[str]]:
    """URIs of two new stores, which are emptied afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        base, mark, options = (uri or folder).partition("?")
        name = f"{base.rstrip('/')}/bench-{uuid4().hex}"
        places = [f"{name}-{way}{mark}{options}" for way in ("ours", "plain")]
        for place in places:
            open_store(place)  # fails here, in one line, if it does
        try:
            yield places
        finally:
            for place in places:
                _empty(open_store(place))


def _empty(store: Store) -> None:
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(store.delete, store.list("")))


def _fill(place: str, start: int, stop: int) -> float:
    """Commits runs shard by shard, as one worker; seconds, without making them up."""
    store = open_store(place)
    return sum(_seconds(store, part) for part in shards(start, stop))


def _one_by_one(place: str, rows: int) -> float:
    store = open_store(place)
    return sum(_seconds(store, [row]) for part in shards(0, rows) for row in part)


def _seconds(store: Store, rows: list[RunRow]) -> float:
    begin = time.perf_counter()
    ledger.commit(store, rows)
    return time.perf_counter() - begin


def _missing(place: str, rows: int) -> int:
    """Makes the keys of the plan, block by block, and counts those that are not done."""
    done = ledger.done_keys(open_store(place))
    blocks = (range(start, min(start + BLOCK, rows)) for start in range(0, rows, BLOCK))
    return sum(int((~done.holds([key(n) for n in block])).sum()) for block in blocks)


def _plain_missing(place: str, rows: int) -> int:
    done = set(_everything(place)["key"].to_pylist())
    return sum(key(number) not in done for number in range(rows))


def _compact(place: str) -> int:
    return compact(open_store(place)).rows


def _read(place: str) -> int:
    """Reads all columns of all runs, and keeps nothing."""
    return sum(len(table) for table in ledger.batches(open_store(place)))


def _plain_read(place: str) -> int:
    return len(_everything(place))


def _filtered(place: str) -> int:
    return len(ledger.read(open_store(place), COLUMNS, FILTER))


def _plain_filtered(place: str) -> int:
    table = _everything(place)
    for name, operator, value in FILTER:
        compare = {"==": pc.equal, ">=": pc.greater_equal}[operator]
        table = table.filter(compare(table[name], value))
    return len(table.select(COLUMNS))


def _everything(place: str) -> pa.Table:
    """All parts whole, at once, then each run once."""
    store = open_store(place)
    with ThreadPoolExecutor(16) as pool:
        parts = list(
            pool.map(lambda p: pq.read_table(io.BytesIO(store.get(p))), store.list("runs"))
        )
    table = pa.concat_tables(parts)
    numbered = table.append_column("_row", pa.array(range(len(table)), pa.int64()))
    return table.take(numbered.group_by("key").aggregate([("_row", "min")])["_row_min"])
