"""`dass-ray latency`: measured latency tables, made and listed."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from dass_ray.cli.options import Quiet, StoreUri, store_uri
from dass_ray.cli.progress import Bars
from dass_ray.cli.tables import table
from dass_ray.families import codes
from dass_ray.latency import LEAST, LatencyTable
from dass_ray.space import block_text, preset
from dass_ray.store import open_store

app = typer.Typer(
    no_args_is_help=True, help="Measure how long students take on a device; list what was measured."
)


@app.command()
def measure(  # noqa: PLR0913, PLR0917 - a command's options
    name: Annotated[str, typer.Argument(help="What the table is called from now on.")],
    space: Annotated[str, typer.Option(help="A preset, such as micro or paper.")] = "micro",
    classes: Annotated[int, typer.Option(min=1, help="Outputs of the students.")] = 10,
    device: Annotated[str, typer.Option(help="cpu, cuda, or cuda:1 for the second GPU.")] = "cpu",
    batch: Annotated[int, typer.Option(min=1, help="Images in one forward pass.")] = 1,
    threads: Annotated[int, typer.Option(min=1, help="CPU threads that PyTorch uses.")] = 1,
    students: Annotated[int, typer.Option(min=LEAST, help="Students to measure.")] = 48,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of students.")] = 0,
    store: StoreUri = None,
    quiet: Quiet = False,
) -> None:
    """Measure students on this machine and fit a table of their blocks' times.

    Run it on the hardware that will run the student. It times PyTorch in float32, with the batch
    and threads that you name: 48 students from the smallest to the largest of the space, in five
    rounds (about a minute for micro, two for paper, with one image). From their table the latency
    of any student follows at once. How far off that is, is measured too, on each student by a fit
    to all others, and shown as the error.

    Keep the machine idle. With one CPU thread, the time that other programs take on its core is
    left out, and what remains of them is some 10% of slowness; with more threads or on a GPU all
    of it counts.

    A table never changes: what was measured before is shown again, and other settings need
    another name.
    """
    from dass_ray import latencies  # noqa: PLC0415 - pyarrow takes a while
    from dass_ray.latency import LatencySetup  # noqa: PLC0415
    from dass_ray.models.latency import ROUNDS, device_name, find_device  # noqa: PLC0415 - torch
    from dass_ray.models.latency import measure as timed  # noqa: PLC0415
    from dass_ray.models.latency_fit import fit  # noqa: PLC0415

    found, chosen, console = find_device(device), preset(space), Console()
    setup = LatencySetup(
        space=chosen, classes=classes, device=device_name(found), batch=batch, threads=threads,
        students=students, seed=seed,
    )  # fmt: skip
    opened = open_store(store_uri(store))
    known = latencies.find(opened, name, setup)
    if known is None:
        with Bars(console, quiet=quiet) as bars:
            bars.phase("timing students", ROUNDS * students)
            measured = timed(
                chosen, classes, found,
                batch=batch, threads=threads, students=students, seed=seed, on_student=bars.step,
            )  # fmt: skip
        known = latencies.commit(opened, name, fit(setup, measured))
    _tell(console, name, known)
    if not quiet:
        console.print(_extremes(known))


@app.command("list")
def list_(store: StoreUri = None) -> None:
    """List the latency tables in the store, with their errors on left-out students."""
    from dass_ray import latencies  # noqa: PLC0415 - pyarrow takes a while

    opened = open_store(store_uri(store), write=False)
    shown = table(
        "name", "space", "device", "images", "threads", "error", "90%", "Spearman",
        folded="device",
    )  # fmt: skip
    for name in latencies.names(opened):
        one = latencies.load(opened, name)
        shown.add_row(
            name, one.space.name, one.device, str(one.batch), str(one.threads),
            f"{one.errors.median:.1%}", f"{one.errors.p90:.1%}", f"{one.errors.spearman:.3f}",
        )  # fmt: skip
    Console().print(shown)


def _tell(console: Console, name: str, one: LatencyTable) -> None:
    """The measured range and the errors."""
    times, off = [student.ms for student in one.measured], one.errors
    console.print(
        f"{name}: {one.setup}\n"
        f"measured {min(times):.3g} to {max(times):.3g} ms; error of a left-out student: median "
        f"{off.median:.1%}, 90% below {off.p90:.1%}, Spearman {off.spearman:.3f}",
        highlight=False,
        soft_wrap=True,
    )


def _extremes(one: LatencyTable) -> Table:
    """The rows of the narrowest and widest blocks."""
    shown = table("stage", "place", "inputs", "block", "ms", folded="")
    shown.add_row("", "stem, head, call", "", "", f"{one.base:.4f}")
    for row in one.extremes:
        place = "first" if row.first else "other"
        kind = block_text(codes.block(row.block, one.space.numbers))
        shown.add_row(str(row.stage), place, str(row.inputs), kind, f"{row.ms:.4f}")
    return shown
