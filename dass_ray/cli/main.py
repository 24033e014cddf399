"""The `dass-ray` command: its verbs, and how errors reach a person."""

import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from dass_ray import __version__
from dass_ray.cli import (
    bench,
    collect,
    compact,
    compare,
    config,
    data,
    evaluate,
    export,
    latency,
    predictor,
    replay,
    runs,
    search,
    status,
    submit,
    teacher,
)  # fmt: skip
from dass_ray.errors import UserError

app = typer.Typer(
    name="dass-ray",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help=(
        "Finds the student network that will be best **after distillation** from your teacher "
        "on your data.\n\n"
        "First steps: `dass-ray search --config configs/quickstart.yaml`, or with your images: "
        "`dass-ray data import NAME FOLDER`, then `dass-ray search --set dataset=NAME`."
    ),
)
app.add_typer(data.app, name="data")
app.add_typer(teacher.app, name="teacher")
app.add_typer(latency.app, name="latency")
for command in (
    collect.collect, predictor.meta_train, evaluate.evaluate, evaluate.pool, search.search,
    search.report, export.export, compare.compare, replay.record, replay.replay, runs.runs,
    status.status, compact.compact, config.config,
):  # fmt: skip
    app.command()(command)
app.command(context_settings={"allow_interspersed_args": False, "ignore_unknown_options": True})(
    submit.submit
)
app.add_typer(bench.app, name="bench")


def _version(shown: bool) -> None:
    if shown:
        typer.echo(f"dass-ray {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print and exit.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point: one line and exit code 2 for a UserError."""
    try:
        app()
    except UserError as error:
        Console(stderr=True).print(
            Text.assemble(("error: ", "bold red"), str(error)), soft_wrap=True
        )
        sys.exit(2)


if __name__ == "__main__":
    main()
