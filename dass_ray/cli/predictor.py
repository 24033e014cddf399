"""`dass-ray meta-train` and `dass-ray evaluate`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from dass_ray.cli.options import ConfigFile, Settings, StoreUri, configured
from dass_ray.cli.progress import Bars
from dass_ray.cli.tables import table
from dass_ray.config import EvaluateConfig, MetaTrainConfig
from dass_ray.store import open_store


def meta_train(
    config: ConfigFile = None, settings: Settings = None, store: StoreUri = None
) -> None:
    """Meta-train a predictor on collected runs, and keep it in the store.

    Needs runs of the data sets in `train` and `validation`: see `dass-ray collect`.
    """
    from dass_ray.predictor import checkpoint  # noqa: PLC0415 - torch takes a second
    from dass_ray.predictor.meta_train import meta_train  # noqa: PLC0415
    from dass_ray.predictor.tasks import task_runs  # noqa: PLC0415

    settled = configured(MetaTrainConfig, config, settings, store)
    console, opened = Console(), open_store(settled.store)
    checkpoint.check_name(opened, settled.name)
    train = task_runs(opened, settled.train, settled.space)
    validation = task_runs(opened, settled.validation, settled.space)
    with Bars(console) as bars:
        bars.phase("meta-training (episodes)", settled.episodes)
        found = meta_train(
            train, validation, settled,
            lambda done, best: bars.step(done, f"best validation Spearman {best:.3f}"),
        )  # fmt: skip
    sizes = {runs.name: len(runs.accuracy) for runs in train}
    card = checkpoint.save(opened, found, settled, sizes, _command(config, settings, store))
    scores = ", ".join(f"{name} {value:.3f}" for name, value in card.validation.items())
    console.print(
        f"predictor {card.name}, best at episode {card.episode}; Spearman on validation tasks: "
        f"{scores}",
        highlight=False,
    )


def _command(config: Path | None, settings: list[str] | None, store: str | None) -> str:
    """The command line that makes the same predictor; the store's place is not part of it."""
    parts = ["dass-ray meta-train", f"--config {config}" if config else ""]
    parts += [f"--set {setting}" for setting in settings or []]
    return " ".join(part for part in parts if part)


def evaluate(
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", "-d", help="A data set with finished runs.")
    ] = None,
) -> None:
    """Rank correlation of a predictor with real KD, beside parameter count and FLOPs."""
    from dass_ray.predictor import checkpoint  # noqa: PLC0415 - torch takes a second
    from dass_ray.predictor.evaluate import evaluate  # noqa: PLC0415
    from dass_ray.predictor.tasks import task_runs  # noqa: PLC0415

    settled = configured(EvaluateConfig, config, settings, store, datasets=dataset or None)
    opened = open_store(settled.store, write=False)
    _, predictor = checkpoint.load(opened, settled.predictor, settled.space)
    shown = table("task", "students", "ranking", "Spearman", "Kendall", folded="task")
    for runs in task_runs(opened, settled.datasets, settled.space):
        for found in evaluate(predictor, runs):
            shown.add_row(
                found.task, str(found.n), found.ranking,
                f"{found.spearman:.3f}", f"{found.kendall:.3f}",
            )  # fmt: skip
    Console().print(shown)
