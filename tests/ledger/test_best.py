import pyarrow as pa
import pytest

from dass_ray import ledger
from dass_ray.ledger import loose, part
from dass_ray.ledger.best import best
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
    found, count = best(filled, limit, ["spec"])
    assert "".join(found["key"].to_pylist()) == expected
    assert count == 6
    assert found.column_names == ["key", "schema_version", "spec", "validation"]


def test_conditions_and_all_columns(filled):
    found, count = best(filled, 2, None, [("seed", ">=", ord("d"))])
    assert found["key"].to_pylist() == ["e", "d"]
    assert count == 3
    assert found.schema == ROW_SCHEMA


def test_none(store):
    found, count = best(store, 2, None)
    assert (len(found), count) == (0, 0)
    assert isinstance(found, pa.Table)
