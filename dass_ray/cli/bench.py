"""`dass-ray bench`: our figure, the plain way's in the same run, and the ratio."""

import json
from dataclasses import asdict
from typing import Annotated, Literal

import typer
from rich.console import Console

from dass_ray.cli.options import StoreUri, store_uri
from dass_ray.cli.tables import table
from dass_ray.errors import UserError
from dass_ray.space import preset
from dass_ray.store import open_store

app = typer.Typer(no_args_is_help=True, help="Measure speed as ratios within one run.")
Inputs = Literal["map", "signals"]
Rounds = Annotated[int, typer.Option(min=1, help="Calls of each way; the median counts.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object, as the last line.")]


@app.command()
def scoring(
    space: Annotated[str, typer.Option(help="A preset, such as micro or paper.")] = "micro",
    inputs: Annotated[
        Inputs,
        typer.Option(
            help="map: the paper's, of one noise image; signals: the shipped predictor's."
        ),
    ] = "signals",
    students: Annotated[int, typer.Option(min=2, help="Students in one batch.")] = 256,
    plain: Annotated[int, typer.Option(min=2, help="Students that the plain way scores.")] = 16,
    rounds: Rounds = 3,
    as_json: Json = False,
) -> None:
    """Students scored a second: one walk over what they share, against one at a time."""
    from dass_ray.bench.scoring import scoring  # noqa: PLC0415 - torch takes a second

    _show(scoring(preset(space), inputs, students, plain, rounds), as_json)


@app.command()
def search(
    candidates: Annotated[int, typer.Option(min=1, help="Candidates of our way.")] = 4096,
    plain: Annotated[int, typer.Option(min=1, help="Candidates of the plain way.")] = 64,
    batch: Annotated[int, typer.Option(min=1, help="Candidates of one Tune trial.")] = 256,
    scorers: Annotated[
        int | None, typer.Option(min=1, help="Scorer actors [one for each CPU]")
    ] = None,
    as_json: Json = False,
) -> None:
    """Candidates a second through Tune and Optuna: batches, against one candidate a trial."""
    from dass_ray.bench.search import search  # noqa: PLC0415 - Ray and torch take seconds

    _show(search(candidates, plain, batch, scorers), as_json)


@app.command()
def samplers(
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="With a teacher in the store.")],
    seconds: Annotated[float, typer.Option(min=1, help="CPU time of each search.")] = 60,
    seeds: Annotated[int, typer.Option(min=1, help="Searches of each sampler.")] = 5,
    params: Annotated[int | None, typer.Option(min=1, help="Limit on parameters.")] = None,
    store: StoreUri = None,
    as_json: Json = False,
) -> None:
    """What each sampler finds in the same time: best prediction and hypervolume."""
    from dass_ray.bench import explore  # noqa: PLC0415 - torch takes a second
    from dass_ray.config import SearchConfig  # noqa: PLC0415

    raw = {"dataset": dataset, "limits": {"params": params}}
    config = SearchConfig.parse(raw, "the bench's settings")
    found = explore.samplers(open_store(store_uri(store)), config, seconds, range(seeds))
    if as_json:
        for one in found:
            typer.echo(json.dumps(vars(one)))
        typer.echo(json.dumps(explore.summary(found)))
        return
    shown = table("sampler", "seed", "candidates", "best", "hypervolume", folded="sampler")
    for one in found:
        shown.add_row(
            one.sampler,
            f"{one.seed}",
            f"{one.candidates:,}",
            f"{one.best:.2%}",
            f"{one.volume:.4f}",
        )
    Console().print(shown)


@app.command()
def growth(
    sampler: Annotated[str, typer.Option(help="guided, nsga2, tpe or random.")] = "guided",
    candidates: Annotated[int, typer.Option(min=1000, help="Up to how many.")] = 100_000,
    batch: Annotated[int, typer.Option(min=1, help="Candidates proposed at a time.")] = 1024,
    as_json: Json = False,
) -> None:
    """A sampler's own cost as candidates grow, with scores that cost nothing."""
    from dass_ray.bench.explore import growth  # noqa: PLC0415 - torch takes a second

    sizes = [size for size in (1000, 3000, 10_000, 30_000, 100_000) if size < candidates]
    for row in growth(sampler, [*sizes, candidates], batch):
        _show(row, as_json)


@app.command(name="meta-train")
def meta_train(
    space: Annotated[str, typer.Option(help="A preset, such as micro or paper.")] = "micro",
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
def store(
    rows: Annotated[int, typer.Option(min=2, help="Runs of the plan.")] = 10_000,
    store: Annotated[
        str | None, typer.Option(help="A store to measure [a temporary folder]; emptied again.")
    ] = None,
    as_json: Json = False,
) -> None:
    """The store: append, resume a plan, compact, scan, against reading everything at once."""
    from dass_ray.bench.store import store as measured  # noqa: PLC0415 - pyarrow takes 0.3 s

    _show(measured(rows, store), as_json)


@app.command()
def collect(
    runs: Annotated[int, typer.Option(min=2, help="Runs of each way.")] = 120,
    as_json: Json = False,
) -> None:
    """Many short runs on two workers: shards that share, against one Ray task a run."""
    from dass_ray.bench.collect import collect  # noqa: PLC0415 - Ray and torch take seconds

    _show(collect(runs), as_json)


@app.command()
def scale(
    gpus: Annotated[
        str, typer.Option(help="How many there are, in turn.")
    ] = "1,2,4,10,30,100,300,1000",
    gbit: Annotated[float, typer.Option(min=0.001, help="A node's link, in Gbit/s.")] = 10.0,
    gib: Annotated[
        float, typer.Option(min=0, help="GiB of data, teacher and soft labels of one task.")
    ] = 0.7,
    store: Annotated[
        str | None,
        typer.Option(help="Where commits are timed [a temporary folder]; left as it was."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Collecting on up to 1,000 GPUs, simulated with costs that are measured here."""
    from dass_ray.bench import scale  # noqa: PLC0415 - Ray and torch take seconds

    counts = [int(count) for count in gpus.split(",") if count.strip().isdecimal()]
    if not counts or min(counts) < 1:
        raise UserError(f"--gpus {gpus!r} must be numbers of GPUs, as in 1,10,100")
    costs = scale.measured(store)
    points = scale.scale(costs, counts, gbit, gib)
    if as_json:
        typer.echo(json.dumps(scale.figures(costs, points)))
        return
    _show(asdict(costs), as_json)
    shown = table("runs", "GPUs", "efficiency", "driver busy", "store busy", "limit", folded="runs")
    for one in points:
        found = one.outcome
        shown.add_row(
            one.runs, f"{one.gpus:,}", f"{found.efficiency:.1%}", f"{found.driver:.1%}",
            f"{found.store:.2%}", f"{found.limit} ({found.slots[found.limit]:.1%})",
        )  # fmt: skip
    Console().print(shown)


def _show(figures: dict[str, float], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures))
        return
    shown = table("figure", "value", folded="figure")
    for name, value in figures.items():
        shown.add_row(name, f"{value:.4g}")
    Console().print(shown)
