"""`dass-ray search` and `report`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dass_ray import searches
from dass_ray.cli import pages, search_plan
from dass_ray.cli.options import (
    Address,
    ConfigFile,
    DryRun,
    LogJson,
    Quiet,
    Settings,
    StoreUri,
    configured,
    store_uri,
)
from dass_ray.cli.progress import Bars, tell
from dass_ray.config import SearchConfig
from dass_ray.errors import UserError
from dass_ray.report import several, several_html, several_terminal
from dass_ray.report.gather import SearchReport, gather
from dass_ray.report.html import render
from dass_ray.report.terminal import summary, table
from dass_ray.store import open_store
from dass_ray.store.base import Store

SearchId = Annotated[
    str | None, typer.Argument(help="The search's identity; the newest one by default.")
]
SearchIds = Annotated[
    list[str] | None,
    typer.Argument(help="Identities, several for one page; the newest search by default."),
]


def search(
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    address: Address = None,
    dataset: Annotated[
        str | None, typer.Option("--dataset", "-d", help="A data set's name.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--report", help="HTML file to write [report-SEARCH.html]")
    ] = None,
    dry_run: DryRun = False,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Find the students that will be best after distillation, and distil the few best.

    Trains the data set's teacher if the store has none, scores `candidates` students within
    `limits`, distils the best predicted ones and some random ones, and reports. With
    `verify.rounds` the best are distilled in several rounds, and before each the predictor learns
    from those that are verified. The same command goes on where it was stopped.

    Examples:

        dass-ray search --config configs/quickstart.yaml

        dass-ray search -d cifar10 -s limits.params=150000 -s verify.top=8 -s verify.rounds=2
    """
    settled = configured(SearchConfig, config, settings, store, address, dataset=dataset)
    console = Console()
    if dry_run:
        search_plan.show(settled, console)
        return
    from dass_ray import pipeline  # noqa: PLC0415 - Ray and torch take seconds

    with Bars(console, quiet=quiet, as_json=log_json) as bars:
        identity = pipeline.search(settled, bars)
    opened = open_store(settled.store, write=False)
    if log_json:
        _tell(opened, identity, out)
    else:
        _show(console, opened, identity, out, quiet=quiet)


def report(
    search: SearchIds = None,
    store: StoreUri = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="HTML file to write [report-SEARCH.html]")
    ] = None,
) -> None:
    """Show a search again: the table here, and the report as one HTML file.

    Several searches are shown side by side, in report-searches.html.
    """
    opened = open_store(store_uri(store), write=False)
    if search and len(search) > 1:
        _show_several(Console(), opened, search, out or Path("report-searches.html"))
        return
    _show(Console(), opened, search[0] if search else newest(opened), out)


def newest(store: Store) -> str:
    """The identity of the search that was started last; UserError where there is none."""
    found = [searches.card(store, identity) for identity in searches.ids(store)]
    if not found:
        raise UserError(f"no search in {store.uri} yet: start one with `dass-ray search`")
    return max(found, key=lambda card: card.started_at).id


def _show(
    console: Console, store: Store, identity: str, out: Path | None, *, quiet: bool = False
) -> None:
    gathered, file = _reported(store, identity, out)
    lines = summary(gathered)
    if quiet:
        console.print(f"{lines[0]} Report: {file}", highlight=False, soft_wrap=True)
        return
    console.print(table(gathered))
    for line in (*lines, f"report: {file}"):
        console.print(line, highlight=False, soft_wrap=True)


def _tell(store: Store, identity: str, out: Path | None) -> None:
    """The best student as a JSON line; all are in the store, see `dass-ray runs --json`."""
    gathered, file = _reported(store, identity, out)
    facts: dict[str, object] = {"search": identity, "report": str(file)}
    if (best := gathered.best) is not None:
        choice = best.choice
        facts |= {"spec": choice.spec, "params": choice.params, "flops": choice.flops}
        facts |= {"predicted": choice.predicted, "validation": best.validation, "test": best.test}
    tell("result", **facts)


def _reported(store: Store, identity: str, out: Path | None) -> tuple[SearchReport, Path]:
    gathered = gather(store, identity)
    file = out or Path(f"report-{identity}.html")
    pages.write(file, render(gathered))
    return gathered, file


def _show_several(console: Console, store: Store, ids: Sequence[str], file: Path) -> None:
    reports = several.gather_all(store, ids)
    pages.write(file, several_html.render(reports))
    console.print(several_terminal.table(reports))
    for line in (several.headline(reports), f"report: {file}"):
        console.print(line, highlight=False, soft_wrap=True)
