"""Student families by name: those that are here, and those of installed packages.

Another package adds a family by an entry point of the group `dass_ray.families`; see
docs/FAMILIES.md.
"""

from importlib.metadata import entry_points
from pkgutil import resolve_name
from typing import Any

from dass_ray.errors import UserError
from dass_ray.families.base import Family

GROUP = "dass_ray.families"
BUILT_IN = {
    "resnet": "dass_ray.families.resnet:ResNetBlocks",
    "mobilenet": "dass_ray.families.mobilenet:MobileNetBlocks",
}


def names() -> list[str]:
    """The names of all families, those that are here first."""
    return [*BUILT_IN, *sorted(entry_points(group=GROUP).names - BUILT_IN.keys())]


def find(name: str) -> type[Family]:
    """The family of that name; UserError with the known ones otherwise."""
    if name in BUILT_IN:
        found: object = resolve_name(BUILT_IN[name])
    elif points := entry_points(group=GROUP, name=name):
        found = next(iter(points)).load()
    else:
        raise UserError(f"no student family is called {name!r}; known: {', '.join(names())}")
    assert isinstance(found, type)
    assert issubclass(found, Family), f"{found} is no Family"
    return found


def parsed(value: Any) -> Any:  # noqa: ANN401 - raw YAML or JSON
    """The family that a config or a card names: a name, or {name: ..., and its own settings}."""
    if isinstance(value, str):
        value = {"name": value}
    if not isinstance(value, dict):
        return value
    name = value.get("name")
    if not isinstance(name, str):
        raise UserError(f"family needs a name; known: {', '.join(names())}")
    return find(name).parse(value, f"family {name}")
