"""`dass-ray evaluate` and `pool`."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dass_ray.cli.options import ConfigFile, Quiet, Settings, StoreUri, configured
from dass_ray.cli.progress import Bars
from dass_ray.cli.tables import table
from dass_ray.config import EvaluateConfig
from dass_ray.errors import UserError
from dass_ray.store import open_store


def evaluate(
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="A data set with finished runs.")
    ] = None,
    tasks: Annotated[bool, typer.Option("--tasks", help="Also a table for each task.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            help="Folder for evaluation.html, .md, .parquet and the config. Zero-cost scores are "
            "kept there for the next evaluation, since they take the longest.",
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """How a predictor ranks students of unseen tasks, beside every baseline.

    Needs finished runs of the data sets (`dass-ray collect`), which the predictor must not have
    learned from. Two KD seeds or more (kd_seeds=[0,1]) give the noise ceiling; runs of the same
    recipe with fewer epochs (kd.epochs=1, kd.min_steps=0) give the baseline of short KD. Ablations
    are a part of the config: see configs/micro_evaluate.yaml.
    """
    from dass_ray.evaluation.evaluate import evaluate  # noqa: PLC0415 - torch takes a second
    from dass_ray.report import evaluation_terminal, evaluation_words  # noqa: PLC0415

    settled = configured(EvaluateConfig, config, settings, store, datasets=dataset or None)
    if out is not None and out.exists() and not out.is_dir():
        raise UserError(f"{out} is not a folder: choose another --out")
    console, opened = Console(), open_store(settled.store, write=False)
    with (
        tempfile.TemporaryDirectory(prefix="dass-ray-embeddings-") as folder,
        Bars(console, quiet=quiet) as bars,
    ):
        scores_in = (out or Path(folder)) / "zero_cost"
        found = evaluate(opened, settled, Path(folder), scores_in, bars)
    if quiet:
        console.print(evaluation_words.headline(found), highlight=False, soft_wrap=True)
    else:
        evaluation_terminal.show(found, console, tasks)
    if out is not None:
        from dass_ray.report import evaluation_files  # noqa: PLC0415

        evaluation_files.write(found, settled, out)
        console.print(f"written: {out}/evaluation.html, .md, .parquet and .yaml", highlight=False)


def pool(
    folders: Annotated[
        list[Path], typer.Argument(help="Folders that `dass-ray evaluate --out` wrote.")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a method.")] = False,
) -> None:
    """One table of several evaluations, as of predictors that each left out other data sets.

    Means over all data sets; 95% intervals by resampling data sets; `ahead` is how far our
    predictor's Spearman is above the method's on the same tasks, and on how many data sets.
    """
    from dass_ray.evaluation.pooled import pool  # noqa: PLC0415 - pyarrow takes a while

    found, console = pool(folders), Console()
    if as_json:
        for one in found:
            typer.echo(json.dumps(asdict(one)))
        return
    shown = table(
        "method", "Spearman (95%)", "strata", "regret", "ahead (95%)", "won", folded="method"
    )
    for one in found:
        shown.add_row(
            one.method, _span(one.spearman, one.low, one.high), _number(one.strata),
            "" if one.regret is None else f"{100 * one.regret:.2f}",
            _span(one.ahead, one.ahead_low, one.ahead_high), f"{one.won}/{one.datasets}",
        )  # fmt: skip
    console.print(shown)
    console.print(
        f"{found[0].tasks} tasks; strata: Spearman among students of similar size; regret: of the "
        "first ones (`top` of the evaluation), in points of accuracy",
        highlight=False,
    )


def _span(value: float, low: float, high: float) -> str:
    return f"{value:z.2f} ({low:z.2f} to {high:z.2f})"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:z.2f}"
