"""`dass-ray record` and `replay`: runs as a benchmark that needs no GPU."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dass_ray.cli import pages
from dass_ray.cli.options import ConfigFile, Quiet, Settings, StoreUri, configured
from dass_ray.cli.progress import Bars
from dass_ray.cli.tables import table
from dass_ray.config import RecordConfig
from dass_ray.store import open_store

if TYPE_CHECKING:
    from dass_ray.replay.run import Summary

SHOWN = (1, 2, 5, 10, 20, 50, 100)


def record(
    out: Annotated[Path, typer.Argument(help="The Parquet file to write.")],
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    scores_in: Annotated[
        Path | None,
        typer.Option(help="Folder of zero-cost scores that `evaluate --out` kept (zero_cost)."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Write a store's finished runs as one file that `replay` and pandas can read.

    It holds accuracies, costs and scores of students, and no images or weights.
    """
    from dass_ray.replay.record import record  # noqa: PLC0415 - torch takes a second

    settled, console = configured(RecordConfig, config, settings, store), Console()
    opened = open_store(settled.store, write=False)
    with (
        tempfile.TemporaryDirectory(prefix="dass-ray-record-") as folder,
        Bars(console, quiet=quiet) as bars,
    ):
        kept = scores_in or Path(folder) / "zero_cost"
        found = record(opened, settled, Path(folder), kept, bars)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(found.to_parquet())
    size = out.stat().st_size / 1e6
    console.print(f"{found.rows.num_rows:,} runs in {out}, {size:.2f} MB", highlight=False)


def replay(
    source: Annotated[
        str, typer.Argument(help="A file of `dass-ray record`; or micro, which comes with this.")
    ] = "micro",
    methods: Annotated[
        list[str] | None,
        typer.Option(
            "--method",
            "-m",
            help="random; a recorded score, as predictor or nwot; guided, nsga2, tpe (minutes); a "
            "sampler, as optuna.samplers:CmaEsSampler; or your own module:function [random and all "
            "recorded scores]",
        ),
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            "--task", "-t", help="Data set, or data set/teacher [those the predictor has not seen]"
        ),
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="KD runs that a method may ask for.")] = 20,
    repeats: Annotated[int, typer.Option(min=1, help="Repeats, each with other KD seeds.")] = 30,
    page: Annotated[
        Path | None, typer.Option("--report", help="Also write an HTML page with plots.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a method.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Replay ways of choosing students against recorded KD runs, without a GPU.

    A method names one recorded student after the other, sees its accuracy, and is judged by its
    regret: how far its best student so far is from the best of the task, in points. Your own method
    is a function (task, seed) that returns a function (seen: {student: accuracy}) -> student; see
    dass_ray.replay.strategies.
    """
    import optuna  # noqa: PLC0415 - takes a second

    from dass_ray.replay.recorded import Recorded  # noqa: PLC0415
    from dass_ray.replay.run import replay, summaries  # noqa: PLC0415
    from dass_ray.replay.strategies import SAMPLERS, names  # noqa: PLC0415

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    recorded, console = Recorded.read(source), Console()
    chosen = recorded.chosen(tasks or ())
    quick = [name for name in names(chosen[0]) if name not in SAMPLERS or name == "random"]
    wanted = methods or [name for name in quick if all(name in names(task) for task in chosen)]
    with Bars(Console(stderr=True), quiet=quiet) as bars:
        found = replay(chosen, wanted, runs, repeats, bars)
    every = sorted(summaries(found), key=lambda one: one.regret[-1])
    budgets = [n for n in SHOWN if n < runs] + [runs]
    if page is not None:
        from dass_ray.report.replay_html import render  # noqa: PLC0415

        pages.write(page, render(every, chosen, repeats, budgets))
    if as_json:
        for one in every:
            typer.echo(json.dumps(asdict(one)))
        return
    console.print(_shown(every, budgets))
    about = ", ".join(f"{task.name} ({len(task.specs)} students)" for task in chosen)
    text = f"regret in points after so many KD runs, mean of {repeats} repeats on {about}"
    console.print(text, highlight=False)


def _shown(every: "Sequence[Summary]", budgets: Sequence[int]) -> object:
    shown = table("method", "Spearman", *(f"{n}" for n in budgets), "95%", folded="method")
    for one in every:
        ranked = "" if one.spearman is None else f"{one.spearman:.2f}"
        regret = (f"{100 * one.regret[n - 1]:.2f}" for n in budgets)
        between = f"{100 * one.low[-1]:.2f} to {100 * one.high[-1]:.2f}"
        shown.add_row(one.method, ranked, *regret, between)
    return shown
