"""`dass-ray data`: data sets into the store, and what is there."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from dass_ray.cli.options import Quiet, StoreUri, store_uri
from dass_ray.cli.progress import Bars
from dass_ray.cli.tables import table
from dass_ray.errors import UserError
from dass_ray.store import open_store

if TYPE_CHECKING:
    from dass_ray.data.source import Decoder

app = typer.Typer(no_args_is_help=True, help="Import images into the store; list what is there.")


@app.command("import")
def import_(
    name: Annotated[str, typer.Argument(help="What the data set is called from now on.")],
    source: Annotated[str, typer.Argument(help="Folder, Parquet, npz, tar shards or hf:NAME.")],
    store: StoreUri = None,
    size: Annotated[
        int | None,
        typer.Option(help="Side in px of the stored images [their own, if one and <= 64; else 64]"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the splits that the source lacks.")] = 0,
    skip_corrupt: Annotated[
        bool, typer.Option("--skip-corrupt", help="Leave unreadable images out and count them.")
    ] = False,
    unlabelled_beside: Annotated[
        str | None,
        typer.Option(
            metavar="DATASET",
            help="SOURCE is a folder of images without classes; NAME becomes DATASET with them.",
        ),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="Decode on the nodes of this Ray cluster, as in 10.0.0.1:6379 or auto; each must "
            "see SOURCE under the same path [threads here]"
        ),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Import images with their classes.

    SOURCE is a folder with one folder of images for each class (optionally below train/,
    validation/ and test/), a folder that `save_to_disk` of Hugging Face's datasets wrote, Parquet
    in its image convention, hf:NAME of its hub, an npz archive with x_train and y_train, or tar
    shards as webdataset has them ("shards/train-{0000..0009}.tar"). Splits that are missing are
    taken from train, 15% each, by class.

    With --unlabelled-beside, students of NAME are also distilled on images that have no label.
    """
    from dass_ray.data.importers import import_images  # noqa: PLC0415 - torch takes a second
    from dass_ray.data.unlabelled import import_unlabelled  # noqa: PLC0415

    if unlabelled_beside is not None and size is not None:
        raise UserError("leave --size out: unlabelled images get the size of those beside them")
    console, opened = Console(), open_store(store_uri(store))
    bars = Bars(console, quiet=quiet, again="begins anew")
    with bars, _decoder(address) as decoder:
        bars.phase("reading images", 0)
        if unlabelled_beside is None:
            card = import_images(
                opened, name, source,
                image_size=size, seed=seed, skip_corrupt=skip_corrupt, on_progress=bars.fraction,
                decoder=decoder,
            )  # fmt: skip
        else:
            card = import_unlabelled(
                opened, name, source, unlabelled_beside,
                skip_corrupt=skip_corrupt, on_progress=bars.fraction, decoder=decoder,
            )  # fmt: skip
    counts = ", ".join(f"{count:,} {split}" for split, count in card.counts.items())
    console.print(
        f"{card.name}: {len(card.classes)} classes, {card.image_size} px, {counts} images",
        highlight=False,
    )
    if card.unlabelled:
        console.print(f"train images without a label: {card.unlabelled:,}", highlight=False)
    if card.skipped:
        console.print(f"unreadable images that were left out: {card.skipped}", highlight=False)
    if card.leaked:
        console.print(f"[yellow]images that stand in more than one split: {card.leaked}")


@contextmanager
def _decoder(address: str | None) -> Iterator["Decoder"]:
    """Ray Data on the cluster of an address; threads where there is none."""
    if address is None:
        from dass_ray.data.threads import in_threads  # noqa: PLC0415

        yield in_threads
        return
    from dass_ray.actors.decoding import on_cluster  # noqa: PLC0415 - Ray takes seconds
    from dass_ray.actors.session import ray_session  # noqa: PLC0415

    with ray_session(address):
        yield on_cluster


@app.command("list")
def list_(store: StoreUri = None) -> None:
    """List the data sets in the store; `digits` and `textures:<seed>` are built in."""
    from dass_ray.data.dataset import list_datasets  # noqa: PLC0415 - torch takes a second

    shown = table("name", "classes", "px", "train", "valid.", "test", "source", folded="source")
    for card in list_datasets(open_store(store_uri(store), write=False)):
        counts = [f"{card.counts[split]:,}" for split in ("train", "validation", "test")]
        shown.add_row(card.name, str(len(card.classes)), str(card.image_size), *counts, card.source)
    Console().print(shown)
