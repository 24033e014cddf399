"""`dass-ray meta-train`."""

import tempfile
from pathlib import Path

from rich.console import Console

from dass_ray.cli.options import ConfigFile, LogJson, Quiet, Settings, StoreUri, configured
from dass_ray.cli.progress import Bars, tell
from dass_ray.config import MetaTrainConfig
from dass_ray.store import open_store


def meta_train(
    config: ConfigFile = None,
    settings: Settings = None,
    store: StoreUri = None,
    log_json: LogJson = False,
    quiet: Quiet = False,
) -> None:
    """Meta-train a predictor on collected runs, and keep it in the store.

    Needs runs of the data sets in `train` and `validation`: see `dass-ray collect`. Goes on where
    it was stopped.
    """
    from dass_ray.predictor.make import make  # noqa: PLC0415 - torch takes a second

    settled = configured(MetaTrainConfig, config, settings, store)
    console, opened = Console(), open_store(settled.store)
    with (
        tempfile.TemporaryDirectory(prefix="dass-ray-embeddings-") as folder,
        Bars(console, quiet=quiet, as_json=log_json) as bars,
    ):
        command = _command(config, settings)
        card = make(opened, settled, command, Path(folder), bars)
    if log_json:
        tell("result", predictor=card.name, episode=card.episode, spearman=card.validation)
        return
    scores = ", ".join(f"{name} {value:.3f}" for name, value in card.validation.items())
    console.print(
        f"predictor {card.name}, best at episode {card.episode}; Spearman on validation tasks: "
        f"{scores}",
        highlight=False,
    )


def _command(config: Path | None, settings: list[str] | None) -> str:
    """The command line that makes the same predictor; the store's place is not part of it."""
    parts = ["dass-ray meta-train", f"--config {config}" if config else ""]
    parts += [f"--set {setting}" for setting in settings or []]
    return " ".join(part for part in parts if part)
