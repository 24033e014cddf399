"""`dass-ray compare`."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dass_ray.cli.options import Address, ConfigFile, Settings, StoreUri, configured
from dass_ray.cli.progress import Bars
from dass_ray.cli.tables import table
from dass_ray.config import CompareConfig

if TYPE_CHECKING:
    from dass_ray.contest.table import Line


def compare(
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    address: Address = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object for each way.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Search one task by the predictor, by chance, by zero-cost scores and by KD, and compare.

    Under each of the limits (`under`), every way chooses students, all are really distilled, and
    the table says how much better ours are on the test split. The search by KD has the runs that
    ours has, and as many more as scoring took the time of. The same command goes on where it was
    stopped; when it is done, it prints its table again in seconds.
    """
    settled, console = configured(CompareConfig, config, settings, store, address), Console()
    from dass_ray.contest.run import compare  # noqa: PLC0415 - Ray and torch take seconds
    from dass_ray.contest.table import lines  # noqa: PLC0415

    with Bars(Console(stderr=True), quiet=quiet) as bars:
        found = lines(compare(settled, bars))
    if as_json:
        for line in found:
            typer.echo(json.dumps(asdict(line)))
        return
    console.print(_shown(found))
    under, students = len(settled.under), settled.verify.top
    text = f"test accuracy of {students} students under each of {under} limits, mean over limits"
    console.print(text, highlight=False)


def _shown(found: "Sequence[Line]") -> object:
    shown = table("way", "mean", "best", "ours more", "95%", "s", "KD s", folded="way")
    for line in found:
        first = line is found[0]
        between = "" if first else f"{100 * line.low:+.1f} to {100 * line.high:+.1f}"
        more = "" if first else f"{100 * line.ours_more:+.1f}"
        shown.add_row(
            line.way, f"{line.mean:.1%}", f"{line.best:.1%}", more, between,
            f"{line.seconds:.0f}", f"{line.kd_seconds:.0f}",
        )  # fmt: skip
    return shown
