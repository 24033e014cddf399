"""`dass-ray collect`: filling the store with runs."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from dass_ray.cli.options import (
    Address,
    ConfigFile,
    DryRun,
    Quiet,
    Settings,
    StoreUri,
    configured,
)
from dass_ray.cli.progress import Bars, tell
from dass_ray.cli.tables import table
from dass_ray.config import CollectConfig
from dass_ray.store import look

if TYPE_CHECKING:
    from dass_ray.collect.forecast import Forecast


def collect(
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    address: Address = None,
    dry_run: DryRun = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Also run again what failed before.")
    ] = False,
    log_json: Annotated[
        bool | None,
        typer.Option(
            "--log-json/--no-log-json",
            help="Progress and the result as JSON lines. By default, where the output is no "
            "terminal, a JSON line a minute stands between the others.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Generate a meta-dataset: distil many students of many tasks for real.

    Missing teachers are trained first. Stop it at any moment; the same command goes on with what
    is missing. A run that fails is a row with its error, and the others go on.
    """
    settled, console = configured(CollectConfig, config, settings, store, address), Console()
    if dry_run:
        _forecast(settled, retry_failed, console)
        return
    from dass_ray.collect import collect  # noqa: PLC0415 - Ray and torch take seconds

    in_lines = not (console.is_terminal or quiet) if log_json is None else log_json
    with Bars(console, quiet=quiet, as_json=bool(log_json)) as bars:
        log = _print if in_lines else None
        done = collect(settled, bars, retry_failed=retry_failed, log=log)
    if log_json:
        tell(
            "result", runs=done.runs, failed=done.failed, left_out=done.left_out,
            store=settled.store,
        )  # fmt: skip
        return
    for line in done.left_out:
        console.print(f"left out: {line}", style="yellow", highlight=False, soft_wrap=True)
    failed = f"; {done.failed:,} of this call's failed or diverged" if done.failed else ""
    text = f"all {done.runs:,} runs of the plan are in {settled.store}{failed}"
    console.print(text, highlight=False, soft_wrap=True)


def _print(facts: dict[str, Any]) -> None:
    print(json.dumps(facts), flush=True)


def _forecast(config: CollectConfig, retry_failed: bool, console: Console) -> None:
    from dass_ray.collect.forecast import forecast  # noqa: PLC0415 - Ray and torch take seconds

    found = forecast(config, look(config.store), retry_failed=retry_failed)
    shown = table("data set", "teacher", "runs", "done", "to do", "hours", folded="data set")
    for task in found.tasks:
        teacher = task.teacher.id if task.teacher else "to be trained"
        left = task.runs - task.done
        todo, hours = f"{left:,}", "" if task.seconds is None else f"{task.seconds / 3600:.2f}"
        if task.near_chance and config.near_chance == "leave out":
            teacher, todo, hours = f"{teacher} near chance", "left out", ""
        shown.add_row(task.dataset, teacher, f"{task.runs:,}", f"{task.done:,}", todo, hours)
    console.print(shown)
    for line in _summary(config, found):
        console.print(line, highlight=False, soft_wrap=True)


def _summary(config: CollectConfig, found: "Forecast") -> list[str]:
    some = [task for task in found.tasks if config.near_chance == "distil" or not task.near_chance]
    total, done = sum(task.runs for task in some), sum(task.done for task in some)
    absent = sum(task.teacher is None for task in some)
    trained = f", {absent} teachers to be trained" if absent else ""
    lines = [f"{total:,} runs, {done:,} in {config.store}, {total - done:,} to do{trained}"]
    if not found.measured:
        return [*lines, "how long they take is not known: no run is measured yet"]
    hours = sum(task.seconds or 0.0 for task in some) / 3600
    return [
        *lines,
        f"about {hours:.2f} hours on one slot of {found.device!r}, as {found.measured:,} runs of "
        "the store were measured there",
    ]
