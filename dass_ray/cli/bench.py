"""`dass-ray bench`: our figure, the plain way's in the same run, and the ratio."""

import json
from typing import Annotated

import typer
from rich.console import Console

from dass_ray.cli.tables import table
from dass_ray.space import preset

app = typer.Typer(no_args_is_help=True, help="Measure speed as ratios within one run.")
Rounds = Annotated[int, typer.Option(min=1, help="Calls of each way; the median counts.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, as the last line.")]


@app.command()
def scoring(
    space: Annotated[str, typer.Option(help="micro or paper.")] = "micro",
    students: Annotated[int, typer.Option(min=1, help="Students in one batch.")] = 64,
    rounds: Rounds = 3,
    as_json: Json = False,
) -> None:
    """Functional embeddings of students a second: one masked pass, against one at a time."""
    from dass_ray.bench.scoring import scoring  # noqa: PLC0415 - torch takes a second

    _show(scoring(preset(space), students, rounds), as_json)


@app.command(name="meta-train")
def meta_train(
    space: Annotated[str, typer.Option(help="micro or paper.")] = "micro",
    members: Annotated[int, typer.Option(min=1, help="Members of the ensemble.")] = 5,
    rounds: Rounds = 5,
    as_json: Json = False,
) -> None:
    """Meta-training: an ensemble over all tasks at once, against a loop over tasks."""
    from dass_ray.bench.meta_train import meta_train  # noqa: PLC0415 - torch takes a second

    _show(meta_train(preset(space), members, rounds), as_json)


@app.command()
def kd(rounds: Rounds = 3, as_json: Json = False) -> None:
    """Distillation: shared soft labels and whole batches, against the plain way."""
    from dass_ray.bench.kd import kd  # noqa: PLC0415 - torch takes a second

    _show(kd(rounds), as_json)


@app.command()
def collect(
    runs: Annotated[int, typer.Option(min=2, help="Runs of each way.")] = 120,
    as_json: Json = False,
) -> None:
    """Many short runs on two workers: shards that share, against one Ray task a run."""
    from dass_ray.bench.collect import collect  # noqa: PLC0415 - Ray and torch take seconds

    _show(collect(runs), as_json)


def _show(figures: dict[str, float], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures))
        return
    shown = table("figure", "value", folded="figure")
    for name, value in figures.items():
        shown.add_row(name, f"{value:.4g}")
    Console().print(shown)
