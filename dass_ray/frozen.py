"""The base of every piece of configuration: immutable, strict, hashable by content."""

import difflib
import hashlib
import json
from typing import Any, Self, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from dass_ray.errors import UserError


class Frozen(BaseModel):
    """A frozen pydantic model in which an unknown key is an error."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )

    @classmethod
    def parse(cls, raw: Any, where: str) -> Self:  # noqa: ANN401 - raw YAML or JSON
        """The model made of raw data; a UserError names the first wrong key and the nearest one.

        An unknown key comes first, since a misspelt one is also missing.
        `where` says in the message what was read ("configs/x.yaml").
        """
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            errors = sorted(error.errors(), key=lambda e: e["type"] != "extra_forbidden")
            raise UserError(f"{where}: {_explain(cls, errors[0])}") from None

    @classmethod
    def kept(cls, data: bytes, path: str, uri: str) -> Self:
        """The record at a path of a store; UserError for one of a newer program."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            raise UserError(f"{uri}: cannot understand {path}: upgrade dass-ray") from error


def _explain(model: type[BaseModel], error: ErrorDetails) -> str:
    path = [str(part) for part in error["loc"]]
    if error["type"] == "missing":
        key = ".".join(path)
        return f"{key!r} is missing: write it in the config, or --set {key}=VALUE"
    if error["type"] == "tuple_type":
        return f"{'.'.join(path)}: write a list, as in [{error['input']}]"
    if error["type"] == "dict_type":
        return f"{'.'.join(path)}: write names and values, as in {{depths: [1, 1]}}"
    message = error["msg"].removeprefix("Value error, ")
    if error["type"] == "value_error" and not path:  # several keys, which the message names
        return message
    if error["type"] != "extra_forbidden":
        return f"{'.'.join(path) or 'the whole'}: {message} (got {error['input']!r})"
    known = _fields_at(model, path[:-1])
    near = difflib.get_close_matches(path[-1], known, n=1, cutoff=0.5)
    advice = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(known)}"
    return f"unknown key {'.'.join(path)!r}; {advice}"


def _fields_at(model: type[BaseModel], path: list[str]) -> list[str]:
    for part in (part for part in path if not part.isdigit()):  # places in lists
        inner = model.model_fields[part].annotation if part in model.model_fields else None
        while get_args(inner):  # what a tuple holds, without its notes
            inner = get_args(inner)[0]
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return sorted(model.model_fields)
        model = inner
    return sorted(model.model_fields)


def content_hash(*parts: Any) -> str:  # noqa: ANN401 - anything that JSON can hold
    """SHA-256 hex of the canonical JSON of `parts`: the same content has the same hash anywhere."""
    canonical = json.dumps(
        [part.model_dump(mode="json") if isinstance(part, BaseModel) else part for part in parts],
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
