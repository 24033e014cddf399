"""`dass-ray compact`."""

from typing import Annotated

import typer
from rich.console import Console

from dass_ray.cli.options import Quiet, StoreUri, store_uri
from dass_ray.cli.progress import Bars
from dass_ray.ledger.compact import compact as merge
from dass_ray.ledger.sweep import GRACE, sweep
from dass_ray.store import open_store


def compact(
    store: StoreUri = None,
    grace: Annotated[
        float, typer.Option(min=0.0, help="Minutes until parts that are merged are deleted.")
    ] = GRACE / 60,
    quiet: Quiet = False,
) -> None:
    """Merge the many small files of finished runs into a few large ones.

    Reading a store takes a request for each file, so do this once in a while, or every hour during
    a large collect. It may run beside collects, readers and other compactions and be stopped at any
    moment: no run is lost and none is seen twice. The small files are deleted by a later call,
    when nobody reads them any more.
    """
    opened, console = open_store(store_uri(store)), Console()
    with Bars(console, quiet=quiet) as bars:
        done = merge(opened, bars)
        deleted = sweep(opened, bars, grace=60 * grace)
    console.print(
        f"{done.merged:,} files of {done.rows:,} runs merged, {deleted:,} merged earlier deleted",
        highlight=False,
    )
