"""Options that commands share, and the configuration they make."""

from pathlib import Path
from typing import Annotated, TypeVar

import typer

from dass_ray.config import ImportConfig, SearchConfig, StoreConfig, TeacherConfig
from dass_ray.settings import load

C = TypeVar("C", bound=StoreConfig)
SHARED: dict[type[StoreConfig], type[StoreConfig]] = {
    TeacherConfig: SearchConfig,
    ImportConfig: SearchConfig,
}
"""Whose file may also be another's, so that a search and its teacher can have one."""

ConfigFile = Annotated[
    Path | None, typer.Option("--config", "-c", help="YAML file; see configs/ for examples.")
]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", "-s", metavar="KEY=VALUE", help="One setting, as in kd.epochs=10."),
]
StoreUri = Annotated[
    str | None,
    typer.Option("--store", help="./folder, file:///folder or s3://bucket/prefix [./store]"),
]
Address = Annotated[
    str | None, typer.Option("--address", help="Ray cluster; by default one is started here.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only tell what would be done, and how long it takes.")
]
Quiet = Annotated[
    bool, typer.Option("--quiet", "-q", help="No progress and no tables: errors and the result.")
]
LogJson = Annotated[
    bool, typer.Option("--log-json", help="Progress and the result as JSON lines, for programs.")
]


def configured(
    model: type[C],
    file: Path | None,
    settings: list[str] | None,
    store: str | None,
    address: str | None = None,
    **given: object,
) -> C:
    """The configuration of a file, then settings, then the options that were given."""
    options = {"store": store, "address": address, **given}
    chosen = {key: value for key, value in options.items() if value is not None}
    return load(model, file, settings or [], chosen, shared_with=SHARED.get(model))


def store_uri(store: str | None) -> str:
    """The store of commands without a config."""
    return store or "./store"
