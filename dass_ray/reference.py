"""Every setting of every command, read off the models themselves: for the terminal and the docs."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dass_ray.config import (
    CollectConfig,
    CompareConfig,
    EvaluateConfig,
    ImportConfig,
    MetaTrainConfig,
    RecordConfig,
    SearchConfig,
    StoreConfig,
    TeacherConfig,
)
from dass_ray.errors import UserError
from dass_ray.recipe import DISTILL, TEACHERS, KDRecipe, TeacherRecipe
from dass_ray.space import PRESETS, Space

COMMANDS: dict[str, type[StoreConfig]] = {
    "search": SearchConfig,
    "teacher train": TeacherConfig,
    "teacher import": ImportConfig,
    "collect": CollectConfig,
    "meta-train": MetaTrainConfig,
    "evaluate": EvaluateConfig,
    "record": RecordConfig,
    "compare": CompareConfig,
}
PRESETS_OF: dict[type[BaseModel] | None, Mapping[str, BaseModel]] = {
    TeacherRecipe: TEACHERS,
    KDRecipe: DISTILL,
    Space: PRESETS,
}
REQUIRED = "required"
MOST = 4  # entries of a list, beyond which its middle is left out
BOUNDS = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}


@dataclass(frozen=True)
class Setting:
    """One setting. model: what its keys are explained under, where it has some."""

    key: str
    kind: str
    default: str
    about: str
    model: type[BaseModel] | None


def settings(model: type[BaseModel]) -> list[Setting]:
    """The settings of a model, in its order."""
    return [_setting(key, field) for key, field in model.model_fields.items()]


def command(name: str) -> type[StoreConfig]:
    """The model of a command's config; UserError with the known ones."""
    if name not in COMMANDS:
        raise UserError(f"{name!r} has no config; those that have: {', '.join(COMMANDS)}")
    return COMMANDS[name]


def words(kind: str) -> str:
    """A setting's type without Markdown."""
    return re.sub(r"\[(\w+)\]\(.*?\)", r"\1", kind).replace("\\|", "|")


def inner(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """The models that a model's settings are made of, each once."""
    found: dict[type[BaseModel], None] = {}
    for one in settings(model):
        if one.model is not None:
            found |= {one.model: None} | dict.fromkeys(inner(one.model))
    yield from found


def _setting(key: str, field: FieldInfo) -> Setting:
    kind, model = _kind(field.annotation, _bounds(field.metadata))
    about = " ".join((field.description or "").split())
    return Setting(key, kind, _default(field, model), about, model)


def _kind(annotation: Any, bounds: str = "") -> tuple[str, type[BaseModel] | None]:  # noqa: ANN401
    """A type in words, and the model in it."""
    origin, args = get_origin(annotation), get_args(annotation)
    model: type[BaseModel] | None = None
    if hasattr(annotation, "__metadata__"):
        words, model = _kind(args[0], _bounds(annotation.__metadata__))
    elif origin is Literal:
        words = " \\| ".join(map(str, args))
    elif origin in (Union, UnionType):  # the first one may have a model
        words, model = _kind(args[0], bounds)
        words += "".join(f", or {_kind(other)[0]}" for other in args[1:])
    elif annotation is NoneType:
        words = "null"
    elif origin is tuple:
        words, model = _kind(args[0])
        words = f"list of {words}"
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        words, model = f"[{annotation.__name__}](#{annotation.__name__.lower()})", annotation
    elif isinstance(annotation, type):
        words = f"{annotation.__name__}{bounds}"
    else:
        words = "keys and values"
    return words, model


def _bounds(metadata: Any) -> str:  # noqa: ANN401 - pydantic's
    found = [
        f"{sign} {getattr(one, name)}"
        for outer in metadata
        for one in getattr(outer, "metadata", (outer,))
        for name, sign in BOUNDS.items()
        if getattr(one, name, None) is not None
    ]
    return f" {', '.join(found)}" if found else ""


def _default(field: FieldInfo, model: type[BaseModel] | None) -> str:
    value = field.default
    if value is PydanticUndefined:
        return REQUIRED
    for preset, known in PRESETS_OF.get(model, {}).items():
        if value in (known, (known,)):
            return preset
    return "" if isinstance(value, BaseModel) else _plain(value)


def _plain(value: Any) -> str:  # noqa: ANN401 - a default
    """As YAML would take it."""
    if isinstance(value, tuple) and len(value) > MOST:
        value = (*value[:2], "...", value[-1])
    return json.dumps(value).replace('"', "")


def markdown() -> str:
    """docs/CONFIG.md."""
    shared = dict.fromkeys(model for one in COMMANDS.values() for model in inner(one))
    parts = [HEAD]
    for name, of_command in COMMANDS.items():
        parts.append(f"## {name}\n\n{_about(of_command)}\n\n{_table(of_command)}")
    parts.append("# Parts that they share")
    for model in shared:
        parts.append(f"## {model.__name__}\n\n{_about(model)}\n\n{_table(model)}")
        for preset, known in PRESETS_OF.get(model, {}).items():
            parts.append(_preset(preset, known))
    return "\n\n".join(parts) + "\n"


HEAD = """# Every setting

Written by `dass-ray config --markdown`, from the models in `dass_ray/config/`. A setting stands
in a YAML file (`--config FILE`), or in `--set key=value` with a dot between keys, as in
`--set kd.epochs=10`. A key that does not exist is an error that names the nearest one. A recipe or
a space is the name of a preset, or a preset with changes: `kd: {preset: paper, epochs: 9}`."""


def _about(model: type[BaseModel]) -> str:
    return re.sub(r"\s*\n\s*", " ", (model.__doc__ or "").strip())


def _table(model: type[BaseModel]) -> str:
    """A preset fills what has no default, so nothing is required of those that have some."""
    by_preset = "by preset" if model in PRESETS_OF else f"**{REQUIRED}**"
    rows = [
        f"| `{one.key}` | {one.kind} | {one.default.replace(REQUIRED, by_preset)} | {one.about} |"
        for one in settings(model)
    ]
    return "\n".join(["| key | value | default | |", "|---|---|---|---|", *rows])


def _preset(name: str, known: BaseModel) -> str:
    values = known.model_dump()
    changed = (f"{key}: {_plain(value)}" for key, value in values.items() if key != "name")
    return f"`{name}` is " + ", ".join(f"`{one}`" for one in changed) + "."
