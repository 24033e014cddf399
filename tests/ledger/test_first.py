import pyarrow as pa
import pytest

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger import loose, part
from dass_ray.ledger.first import first
from dass_ray.records import ROW_SCHEMA

from ..make import row


@pytest.fixture
def filled(store, monkeypatch):
    for module in (part, loose):
        monkeypatch.setattr(module, "GROUP", 2)  # so that there are several tables
    for key, validation in zip("abcdef", (0.1, 0.6, None, 0.3, 0.6, 0.2), strict=True):
        ledger.commit(store, [row(key, validation=validation, seed=ord(key))])
    return store


@pytest.mark.parametrize(("limit", "expected"), [(1, "b"), (3, "bed"), (9, "bedfac")])
def test_best_first_and_those_without_an_accuracy_last(filled, limit, expected):
    found, count = first(filled, limit, ["spec"])
    assert "".join(found["key"].to_pylist()) == expected
    assert count == 6
    assert found.column_names == ["key", "schema_version", "spec", "validation"]


def test_conditions_and_all_columns(filled):
    found, count = first(filled, 2, None, [("seed", ">=", ord("d"))])
    assert found["key"].to_pylist() == ["e", "d"]
    assert count == 3
    assert found.schema == ROW_SCHEMA


@pytest.mark.parametrize(
    ("sort", "ascending", "expected"),
    [("validation", True, "afdbec"), ("key", False, "fedcba"), ("seed", True, "abcdef")],
)
def test_other_orders(filled, sort, ascending, expected):
    found, _ = first(filled, 9, ["spec"], sort=sort, ascending=ascending)
    assert "".join(found["key"].to_pylist()) == expected


@pytest.mark.parametrize("sort", ["curve", "speed"])
def test_what_cannot_be_sorted_by(filled, sort):
    with pytest.raises(UserError, match=f"no column '{sort}' to ask for"):
        first(filled, 9, None, sort=sort)


def test_none(store):
    found, count = first(store, 2, None)
    assert (len(found), count) == (0, 0)
    assert isinstance(found, pa.Table)
