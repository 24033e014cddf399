import pytest

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger import loose, part
from dass_ray.ledger.groups import groups

from ..make import row


@pytest.fixture
def filled(store, monkeypatch):
    """Several tables to be merged; a group without an accuracy; a double and a retried run."""
    for module in (part, loose):
        monkeypatch.setattr(module, "GROUP", 2)
    facts = [
        ("a", "x", 0.25),
        ("b", "x", 0.75),
        ("c", "x", None),
        ("d", "y", 0.5),
        ("e", "z", None),
    ]
    for key, data, validation in facts:
        ledger.commit(store, [row(key, dataset=data, validation=validation, params=ord(key))])
    doubled = [row("a", dataset="x", validation=0.25), row("f", dataset="y", validation=0.75)]
    ledger.commit(store, doubled)
    ledger.commit(store, [row("f", dataset="y", status="failed", validation=None)])
    return store


def test_each_run_counts_once(filled):
    found = groups(filled, ["dataset"], "validation").sort_by("dataset")
    assert found.to_pylist() == [
        {"dataset": "x", "runs": 3, "mean": 0.5, "least": 0.25, "most": 0.75},
        {"dataset": "y", "runs": 2, "mean": 0.625, "least": 0.5, "most": 0.75},
        {"dataset": "z", "runs": 1, "mean": None, "least": None, "most": None},
    ]


def test_several_columns_conditions_and_whole_numbers(filled):
    where = [("key", "in", ["a", "b", "d"])]
    found = groups(filled, ["dataset", "status"], "params", where).sort_by("dataset")
    assert found.to_pylist() == [
        {"dataset": "x", "status": "ok", "runs": 2, "mean": 97.5, "least": 97, "most": 98},
        {"dataset": "y", "status": "ok", "runs": 1, "mean": 100.0, "least": 100, "most": 100},
    ]


def test_none(store):
    found = groups(store, ["dataset"], "validation")
    assert len(found) == 0
    assert found.column_names == ["dataset", "runs", "mean", "least", "most"]


@pytest.mark.parametrize(
    ("by", "of", "message"),
    [
        (["speed"], "test", "no column 'speed'"),
        (["curve"], "test", "no column 'curve'"),
        (["dataset"], "speed", "no column 'speed'"),
        (["dataset"], "spec", "'spec' is not a number"),
        (["seed", "seed"], "test", "'seed' is named twice"),
        (["test"], "test", "'test' is named twice"),
    ],
)
def test_what_cannot_be_asked(store, by, of, message):
    with pytest.raises(UserError, match=message):
        groups(store, by, of)
