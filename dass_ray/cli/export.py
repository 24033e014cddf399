"""`dass-ray export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from dass_ray.cli.options import Quiet, StoreUri, store_uri
from dass_ray.cli.progress import Bars
from dass_ray.cli.search import SearchId, newest
from dass_ray.cli.tables import table
from dass_ray.store import open_store

if TYPE_CHECKING:  # torch takes a second
    from dass_ray.export.card import StudentCard


def export(  # noqa: PLR0913, PLR0917 - a command's options
    search: SearchId = None,
    store: StoreUri = None,
    spec: Annotated[
        str | None, typer.Option(help="Which verified student; by default the best on validation.")
    ] = None,
    teacher: Annotated[
        str | None, typer.Option(help="The best one distilled from this teacher, of several.")
    ] = None,
    latency_ms: Annotated[
        float | None,
        typer.Option(help="The best one that takes no longer, by the search's latency table."),
    ] = None,
    onnx: Annotated[
        bool | None,
        typer.Option("--onnx/--no-onnx", help="ONNX in float and int8 [if its packages are there]"),
    ] = None,
    pixels: Annotated[
        bool, typer.Option("--pixels", help="ONNX that takes uint8 [batch, height, width, 3].")
    ] = False,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads of the timings.")] = 1,
    licence: Annotated[str, typer.Option(help="Of the weights, for the card.")] = "unknown",
    data_licence: Annotated[str, typer.Option(help="Of the data set, for the card.")] = "unknown",
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder to write to.")] = Path("student"),
    quiet: Quiet = False,
) -> None:
    """Write a verified student: weights, programs, a card, and a loader that needs torch alone.

    The folder holds safetensors, a torch.export program, ONNX in float and int8, README.md and
    card.json. Each program is compared with the network on validation images, its accuracy is
    measured on the validation and test splits, and its latency on this machine.

    Examples:

        dass-ray export

        dass-ray export --latency-ms 2 --out fast --licence apache-2.0

        dass-ray export --teacher 1d0391f6dc1ecfbf
    """
    from dass_ray.export import export  # noqa: PLC0415 - torch takes a second
    from dass_ray.export.config import ExportConfig  # noqa: PLC0415
    from dass_ray.export.onnx_files import available  # noqa: PLC0415

    config = ExportConfig.parse(
        {
            "spec": spec, "teacher": teacher, "latency_ms": latency_ms, "onnx": onnx,
            "pixels": pixels, "threads": threads, "licence": licence, "data_licence": data_licence,
        },
        "the options",
    )  # fmt: skip
    opened, console = open_store(store_uri(store), write=False), Console()
    with Bars(console, quiet=quiet) as bars:
        card = export(opened, search or newest(opened), out, config, bars)
    if not quiet:
        console.print(_forms(card))
    console.print(
        f"{out}: student {card.spec} of teacher {card.teacher}, {card.params:,} parameters, "
        f"validation {card.verified.validation:.1%}, test {card.verified.test:.1%}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    if onnx is None and not quiet and not available():
        console.print("no ONNX, since its packages are missing: pip install 'dass-ray[onnx]'")


def _forms(card: "StudentCard") -> Table:
    """A row for each form: size, accuracy, latency, and how far it is from the network."""
    times = [f"ms of {time.batch}" for time in card.formats[0].timings]
    shown = table("form", "kB", "valid.", "test", *times, "difference", "agree", folded="form")
    for form in card.formats:
        largest = max((one.max_difference for one in form.parity), default=None)
        agree = min((one.agreement for one in form.parity), default=None)
        shown.add_row(
            form.name, f"{form.bytes / 1000:.0f}", f"{form.accuracy.validation:.1%}",
            f"{form.accuracy.test:.1%}", *(f"{time.ms:.3g}" for time in form.timings),
            "" if largest is None else f"{largest:.1e}", "" if agree is None else f"{agree:.1%}",
        )  # fmt: skip
    return shown
