"""Reads a command's configuration: YAML file, then `--set a.b=value`, then its options."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from dass_ray.errors import UserError
from dass_ray.frozen import Frozen

F = TypeVar("F", bound=Frozen)


def load(
    model: type[F],
    file: Path | None,
    settings: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
    *,
    shared_with: type[Frozen] | None = None,
) -> F:
    """The configuration of a YAML file, with `a.b=value` settings and then options on top.

    The values of settings are YAML too; those of options are taken as they are. shared_with: the
    file may hold this model's keys, too, which are checked and then left aside; settings may not.

    UserError for a missing or unreadable file, a setting without `=`, an unknown key (with the
    nearest known one) or a value that does not fit.
    """
    raw, where = (_read(file), str(file)) if file else ({}, "the settings")
    own, shared = model.model_fields, shared_with.model_fields if shared_with else {}
    aside = {key: raw.pop(key) for key in list(raw) if key in shared and key not in own}
    for setting in settings:
        _set(raw, setting)
    raw |= options or {}
    if shared_with and aside:
        shared_with.parse(raw | aside, where)
    return model.parse(raw, where)


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(file.read_text())
    except OSError as error:
        raise UserError(f"cannot read the config {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UserError(f"{file} must hold keys and values, as in `dataset: digits`")
    return raw


def _set(raw: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise UserError(f"--set {setting!r} needs the form key=value, as in kd.epochs=10")
    *parents, last = path.split(".")
    for parent in parents:
        inner = raw.setdefault(parent, {})
        if isinstance(inner, str):  # a preset's name that is now changed
            inner = raw[parent] = {"preset": inner}
        if not isinstance(inner, dict):
            raise UserError(f"--set {setting!r}: {parent!r} holds no keys")
        raw = inner
    try:
        raw[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {setting!r}: {text!r} is not a YAML value") from None
