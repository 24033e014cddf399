"""`dass-ray status`: what a store holds, and what goes on."""

import time
from datetime import timedelta
from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
import typer
from rich.console import Console
from rich.table import Table

from dass_ray import ledger, searches
from dass_ray.cli.options import StoreUri, store_uri
from dass_ray.cli.tables import table
from dass_ray.keys import KeySet
from dass_ray.store import open_store
from dass_ray.store.base import Store

LATELY_S = 600


def status(
    uri: Annotated[str | None, typer.Argument(metavar="[URI]", help="The same as --store.")] = None,
    store: StoreUri = None,
) -> None:
    """Show what a store holds: runs by task, how far each search has come, and what goes on now.

    Only the store is asked, so it works from anywhere, whoever fills it.
    """
    opened, console = open_store(uri or store_uri(store), write=False), Console()
    found = ledger.read(opened, ["dataset", "teacher", "status", "seconds", "started_at", "host"])
    console.print(_tasks(found))
    if len(found):
        console.print(lately(found, time.time()), highlight=False, soft_wrap=True)
    console.print(_searches(opened, KeySet.of(found["key"])))


def _tasks(found: pa.Table) -> Table:
    counts = found.group_by(["dataset", "teacher", "status"]).aggregate(
        [("key", "count"), ("seconds", "sum")]
    )
    shown = table("data set", "teacher", "status", "runs", "KD hours", folded="data set")
    for row in counts.sort_by([("dataset", "ascending"), ("teacher", "ascending")]).to_pylist():
        hours = f"{row['seconds_sum'] / 3600:.2f}"
        shown.add_row(row["dataset"], row["teacher"], row["status"], str(row["key_count"]), hours)
    return shown


def lately(found: pa.Table, now: float) -> str:
    """When the newest run ended, and how many did in the LATELY_S before it, on how many hosts.

    found: some runs, with the columns started_at, seconds and host; now: s since 1970.
    """
    ends = pc.add(found["started_at"], found["seconds"])
    newest = pc.max(ends).as_py()
    recent = found.filter(pc.greater(ends, newest - LATELY_S))
    hosts = pc.count_distinct(recent["host"]).as_py()
    return (
        f"the newest run ended {timedelta(seconds=round(max(now - newest, 0)))} ago; in the "
        f"{LATELY_S // 60} minutes up to it {60 * len(recent) / LATELY_S:.1f} runs/min, "
        f"machines: {hosts}"
    )


def _searches(store: Store, done: KeySet) -> Table:
    shown = table("search", "scored", "distilled", "state", folded="search")
    for identity in searches.ids(store):
        card = searches.card(store, identity)
        scored = sum(len(batch) for batch in searches.read_batches(store, identity))
        keys = [key for choice in searches.choices(store, identity) for key in choice.keys]
        state = "finished" if searches.finished(store, identity) else "unfinished"
        shown.add_row(
            identity, f"{scored:,} of {card.config.candidates:,}",
            f"{done.holds(keys).sum()} of {len(keys) or '?'}", state,
        )  # fmt: skip
    return shown
