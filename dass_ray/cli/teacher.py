"""`dass-ray teacher`: train, import and list teachers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dass_ray.cli.options import (
    Address,
    ConfigFile,
    Settings,
    StoreUri,
    configured,
    store_uri,
)
from dass_ray.cli.progress import Bars
from dass_ray.cli.tables import table
from dass_ray.config import CollectConfig, TeacherConfig
from dass_ray.errors import UserError
from dass_ray.store import open_store

app = typer.Typer(no_args_is_help=True, help="Train, import and list teachers.")
Dataset = Annotated[str | None, typer.Option("--dataset", "-d", help="A data set's name.")]


@app.command()
def train(
    dataset: Dataset = None,
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    address: Address = None,
) -> None:
    """Train the largest network of a space on a data set; a search does this by itself.

    Settings: space (such as micro or paper), teacher.epochs, teacher.lr, ..., teacher_seed.
    """
    from dass_ray.actors.session import ray_session  # noqa: PLC0415 - Ray and torch take seconds
    from dass_ray.collect import train_teachers  # noqa: PLC0415

    settled = configured(TeacherConfig, config, settings, store, address, dataset=dataset)
    console = Console()
    plan = CollectConfig.of_teacher(settled)
    with Bars(console) as bars, ray_session(plan.address):
        (card,) = train_teachers(plan, bars)
    console.print(
        f"teacher {card.id} of {card.dataset}: validation {card.validation:.1%}, "
        f"test {card.test:.1%}, {card.seconds:.0f} s",
        highlight=False,
    )


@app.command("import")
def import_(
    dataset: Annotated[str, typer.Argument(help="The data set that the teacher knows.")],
    weights: Annotated[Path, typer.Argument(help="safetensors state of the space's largest net.")],
    space: Annotated[str, typer.Option(help="A preset, such as micro or paper.")] = "micro",
    store: StoreUri = None,
) -> None:
    """Import the weights of a teacher that was trained elsewhere."""
    from dass_ray.data.builtin import resolve  # noqa: PLC0415 - torch takes a second
    from dass_ray.kd.teachers import import_into  # noqa: PLC0415
    from dass_ray.models.weights import from_bytes  # noqa: PLC0415
    from dass_ray.space import preset  # noqa: PLC0415

    try:
        state = from_bytes(weights.read_bytes(), str(weights))
    except OSError as error:
        raise UserError(f"cannot read {weights}: {error.strerror}") from None
    opened, chosen = open_store(store_uri(store)), preset(space)
    data = resolve(opened, dataset).resized(chosen.image_size)
    card = import_into(opened, chosen, data, state, str(weights))
    Console().print(
        f"teacher {card.id} of {card.dataset}: validation {card.validation:.1%}, "
        f"test {card.test:.1%}",
        highlight=False,
    )


@app.command("list")
def list_(store: StoreUri = None) -> None:
    """List the teachers in the store."""
    from dass_ray.kd.teachers import list_teachers  # noqa: PLC0415 - torch takes a second

    shown = table("id", "data set", "space", "valid.", "test", "seconds", "", folded="")
    for card in list_teachers(open_store(store_uri(store), write=False)):
        note = "[red]near chance" if card.near_chance else ""
        shown.add_row(
            card.id, card.dataset, card.space.name, f"{card.validation:.1%}", f"{card.test:.1%}",
            f"{card.seconds:.0f}", note,
        )  # fmt: skip
    Console().print(shown)
