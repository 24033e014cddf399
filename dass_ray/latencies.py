"""Latency tables in the store: `latencies/<name>/table.json`, each written once."""

import re

from dass_ray.config import NAME
from dass_ray.errors import UserError
from dass_ray.latency import LatencySetup, LatencyTable
from dass_ray.searches import read_object, write_object
from dass_ray.store.base import Store

_MAX_LENGTH = 100  # a name is one path component, and file systems end at 255 bytes


def find(store: Store, name: str, setup: LatencySetup) -> LatencyTable | None:
    """The table of this name if there is one; UserError where it was measured otherwise."""
    if not re.fullmatch(NAME, name) or len(name) > _MAX_LENGTH:
        raise UserError(
            f"{name!r} cannot name a latency table: use 1 to {_MAX_LENGTH} letters, digits, "
            "'.', '_', '-', a letter or digit first"
        )
    table = read_object(store, LatencyTable, _path(name))
    return _same(name, table, setup) if table else None


def commit(store: Store, name: str, table: LatencyTable) -> LatencyTable:
    """Commits a table and returns the one in the store: the first writer's.

    UserError where that one was measured otherwise.
    """
    return _same(name, write_object(store, table, _path(name)), table.setup)


def load(store: Store, name: str) -> LatencyTable:
    """The table of this name; UserError with the known ones where there is none."""
    table = read_object(store, LatencyTable, _path(name)) if re.fullmatch(NAME, name) else None
    if table:
        return table
    known = ", ".join(names(store)) or "none yet; `dass-ray latency measure NAME` makes one"
    raise UserError(f"no latency table {name!r} in {store.uri}; known: {known}")


def names(store: Store) -> list[str]:
    """The names of all tables, sorted."""
    paths = store.list("latencies")
    return sorted(path.split("/")[1] for path in paths if path.endswith("/table.json"))


def _path(name: str) -> str:
    return f"latencies/{name}/table.json"


def _same(name: str, table: LatencyTable, setup: LatencySetup) -> LatencyTable:
    if table.setup == setup:
        return table
    raise UserError(
        f"the latency table {name!r} was measured with other settings ({table.setup}): "
        "choose another name"
    )
