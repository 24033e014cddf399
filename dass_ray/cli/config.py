"""`dass-ray config`: every setting, explained."""

from typing import Annotated

import typer
from rich.console import Console

from dass_ray import reference
from dass_ray.cli.tables import table


def config(
    command: Annotated[
        str, typer.Argument(help=f"{', '.join(reference.COMMANDS)}; of two words in quotes.")
    ] = "search",
    markdown: Annotated[
        bool, typer.Option("--markdown", help="All commands' settings, as docs/CONFIG.md.")
    ] = False,
) -> None:
    """Explain every setting of a command: its key, what it may be, and its default."""
    if markdown:
        typer.echo(reference.markdown(), nl=False)
        return
    model, console = reference.command(command), Console()
    for of in (model, *reference.inner(model)):
        shown = table("key", "default", "", folded="")
        for one in reference.settings(of):
            shown.add_row(one.key, one.default, f"{one.about} ({reference.words(one.kind)})")
        console.print(of.__name__, style="bold")
        console.print(shown)
