"""`dass-ray runs`: asking the store for finished runs."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pyarrow as pa
import typer
from rich.console import Console

from dass_ray import ledger
from dass_ray.cli.options import StoreUri, store_uri
from dass_ray.cli.tables import table
from dass_ray.errors import UserError
from dass_ray.ledger.conditions import parse
from dass_ray.ledger.first import first
from dass_ray.ledger.groups import groups
from dass_ray.ledger.save import csv_lines, json_lines, save
from dass_ray.ledger.scan import Condition
from dass_ray.records import ROW_SCHEMA
from dass_ray.store import open_store
from dass_ray.store.base import Store

COLUMNS = ("dataset", "spec", "params", "seed", "status", "validation", "test")
SHARES = ("validation", "validation_best", "test", "teacher_validation", "teacher_test")
Cell = str | int | float | None


def runs(  # noqa: PLR0913, PLR0917 - a command's options
    store: StoreUri = None,
    dataset: Annotated[str | None, typer.Option("--dataset", "-d", help="Only this one's.")] = None,
    status: Annotated[str | None, typer.Option(help="Only ok, diverged or failed ones.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option("--where", "-w", help="Only those, as params<=100000 or seed=0,1."),
    ] = None,
    sort: Annotated[
        str | None, typer.Option(help="Column, the largest first [validation; of groups: mean]")
    ] = None,
    ascending: Annotated[bool, typer.Option("--ascending", help="The smallest first.")] = False,
    by: Annotated[
        str | None, typer.Option(help="Groups by these columns, as dataset,teacher.")
    ] = None,
    of: Annotated[
        str, typer.Option(help="Number of which a group shows mean, least and most.")
    ] = "validation",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Rows to show.")] = 20,
    as_json: Annotated[
        bool, typer.Option("--json", help="All columns, one JSON object a line.")
    ] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="All columns, as CSV.")] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", "-o", help="Write all of them to a .parquet, .csv or .jsonl file."),
    ] = None,
) -> None:
    """Show finished KD runs, the best on validation first, or groups of them.

    Examples:

        dass-ray runs -d cifar10 -w 'params<=100000' --sort test

        dass-ray runs --by dataset,teacher --of seconds

        dass-ray runs --out rows.parquet
    """
    opened = open_store(store_uri(store), write=False)
    asked = {"dataset": dataset and dataset.replace(":", "-"), "status": status}
    conditions: list[Condition] = [(k, "==", v) for k, v in asked.items() if v is not None]
    conditions += [parse(text) for text in where or []]
    if by is not None:
        found = _groups(opened, by.split(","), of, conditions, sort or "mean", ascending)
        if out is not None:
            typer.echo(f"{out}: {save([found], found.schema, out):,} groups")
        elif not _printed(found.slice(0, limit), as_json, as_csv):
            shares = ("mean", "least", "most") if of in SHARES else ()
            _show(found.slice(0, limit), found.column_names, shares, f"{len(found):,} groups")
    elif out is not None:
        if sort is not None:
            raise UserError("--out writes all runs, in no order: leave --sort away")
        count = save(ledger.batches(opened, None, conditions), ROW_SCHEMA, out)
        typer.echo(f"{out}: {count:,} runs")
    else:
        names = list(dict.fromkeys([*COLUMNS, sort or "validation"]))
        found, count = first(
            opened, limit, None if as_json or as_csv else names, conditions,
            sort=sort or "validation", ascending=ascending,
        )  # fmt: skip
        if not _printed(found, as_json, as_csv):
            _show(found, names, SHARES, f"{count:,} runs; --json shows all columns")


def _groups(
    store: Store, by: Sequence[str], of: str, where: list[Condition], sort: str, ascending: bool
) -> pa.Table:
    found = groups(store, by, of, where)
    if sort not in found.column_names:
        known = ", ".join(found.column_names)
        raise UserError(f"groups have no {sort!r} to sort by; they have {known}")
    first_key = (sort, "ascending" if ascending else "descending")
    return found.sort_by([first_key, *((name, "ascending") for name in by if name != sort)])


def _printed(found: pa.Table, as_json: bool, as_csv: bool) -> bool:
    """Writes a table to the output where one of these forms is wanted."""
    if as_json:
        json_lines([found], found.schema, sys.stdout)
    elif as_csv:
        csv_lines([found], found.schema, sys.stdout)
    return as_json or as_csv


def _show(found: pa.Table, names: Sequence[str], shares: Sequence[str], all_of: str) -> None:
    shown = table(*names, folded="spec")
    for row in found.to_pylist():
        shown.add_row(*(_text(row[name], name in shares) for name in names))
    Console().print(shown)
    typer.echo(f"{len(found)} of {all_of}")


def _text(value: Cell, share: bool) -> str:
    if value is None:
        return ""
    if share:
        return f"{value:.1%}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
