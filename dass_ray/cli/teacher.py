"""`dass-ray teacher`: train, import and list teachers."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dass_ray.cli.options import (
    Address,
    ConfigFile,
    LogJson,
    Quiet,
    Settings,
    StoreUri,
    configured,
    store_uri,
)
from dass_ray.cli.progress import Bars, tell
from dass_ray.cli.tables import table
from dass_ray.config import CollectConfig, ImportConfig, TeacherConfig
from dass_ray.records import TeacherCard
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
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Train the largest network of a space on a data set; a search does this by itself.

    Settings: space (such as micro), teacher.epochs, teacher.lr, ..., teacher_seed. With
    network.source, as in transformers:resnet, a network from elsewhere is trained instead.
    """
    from dass_ray.actors.session import ray_session  # noqa: PLC0415 - Ray and torch take seconds
    from dass_ray.collect import train_teachers  # noqa: PLC0415

    settled = configured(TeacherConfig, config, settings, store, address, dataset=dataset)
    console = Console()
    plan = CollectConfig.of_teacher(settled)
    with Bars(console, quiet=quiet, as_json=log_json) as bars, ray_session(plan.address):
        (card,) = train_teachers(plan, bars)
    if log_json:
        tell("result", teacher=card.id, validation=card.validation, test=card.test)
        return
    console.print(_told(card), highlight=False)


@app.command("import")
def import_(
    source: Annotated[str, typer.Argument(help="Weights, a folder, hf:NAME or a network's name.")],
    dataset: Annotated[str, typer.Option("--dataset", "-d", help="The data set that it knows.")],
    weights: Annotated[
        Path | None, typer.Option("--weights", "-w", help="State dict of a network that is named.")
    ] = None,
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    quiet: Quiet = False,
) -> None:
    """Import a teacher that was trained elsewhere.

    SOURCE is a file with the weights of the space's largest network; a folder that transformers'
    save_pretrained wrote, or hf:NAME for one of the hub; or, with --weights, transformers:TYPE,
    timm:NAME, torchvision:NAME or package.module:callable. Settings: space, network.arguments,
    network.image_size, network.mean, network.std, network.outputs; teacher.* are those of the
    proxy, our ResNet that is distilled from a teacher of another kind.
    """
    from dass_ray.import_teacher import import_teacher  # noqa: PLC0415 - torch takes a second

    console = Console()
    settled = configured(ImportConfig, config, settings, store, dataset=dataset)
    with Bars(console, quiet=quiet) as bars:
        card = import_teacher(settled, source, weights, bars)
    console.print(_told(card), highlight=False)


@app.command("list")
def list_(store: StoreUri = None) -> None:
    """List the teachers in the store."""
    from dass_ray.kd.teachers import list_teachers  # noqa: PLC0415 - torch takes a second

    shown = table("id", "data set", "space", "valid.", "test", "seconds", "", folded="")
    for card in list_teachers(open_store(store_uri(store), write=False)):
        note = _network(card) + ("[red]near chance" if card.near_chance else "")
        shown.add_row(
            card.id, card.dataset, card.space.name, f"{card.validation:.1%}",
            f"{card.test:.1%}", f"{card.seconds:.0f}", note,
        )  # fmt: skip
    Console().print(shown)


def _network(card: TeacherCard) -> str:
    return f"{card.foreign.network.source} " if card.foreign else ""


def _told(card: TeacherCard) -> str:
    """What is in the store now."""
    told = (
        f"teacher {card.id} of {card.dataset}: validation {card.validation:.1%}, "
        f"test {card.test:.1%}, {card.seconds:.0f} s"
    )
    if card.foreign is None:
        return told
    proxy = card.foreign.proxy
    return (
        f"{told}; its proxy, from which students start: validation {proxy.validation:.1%}, "
        f"test {proxy.test:.1%}, {proxy.seconds:.0f} s"
    )
