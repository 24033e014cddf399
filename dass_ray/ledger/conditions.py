"""Conditions on runs, as people write them."""

import re

import pyarrow as pa

from dass_ray.errors import UserError
from dass_ray.ledger.scan import Condition
from dass_ray.records import ROW_SCHEMA

_FORM = re.compile(r"\s*(\w+)\s*(<=|>=|!=|==|=|<|>)(.*)", re.DOTALL)


def parse(text: str) -> Condition:
    """`params<=100000`, `dataset=cifar10` or `seed=0,1` (any of them) as a condition.

    After `==` a comma is part of the value. UserError where the text has another form, or the value
    does not fit the column.
    """
    found = _FORM.fullmatch(text)
    if not found:
        raise UserError(f"{text!r} is no condition: write it as params<=100000 or seed=0,1")
    name, how, values = found[1], found[2], found[3].strip()
    kind = column_type(name)
    if how == "=" and "," in values:
        return name, "in", [_value(name, one.strip(), kind) for one in values.split(",")]
    return name, "==" if how == "=" else how, _value(name, values, kind)


def column_type(name: str) -> pa.DataType:
    """The type of a column that has one value a run; UserError for any other name."""
    plain = [field.name for field in ROW_SCHEMA if not pa.types.is_list(field.type)]
    if name not in plain:
        raise UserError(f"no column {name!r} to ask for; there are {', '.join(plain)}")
    return ROW_SCHEMA.field(name).type


def _value(name: str, text: str, kind: pa.DataType) -> str | int | float:
    if pa.types.is_string(kind):
        return text
    try:
        return int(text) if pa.types.is_integer(kind) else float(text)
    except ValueError:
        raise UserError(f"{name} is a number, not {text!r}") from None
