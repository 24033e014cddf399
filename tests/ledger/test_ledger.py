import io
from dataclasses import asdict

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.records import ROW_SCHEMA, SCHEMA_VERSION

from ..make import Memory, row


def keys(store):
    return ledger.read(store)["key"].to_pylist()


def test_empty_store(store):
    table = ledger.read(store)
    assert table.schema == ROW_SCHEMA
    assert len(table) == 0
    assert ledger.read(store, ["key", "test"]).num_rows == 0
    assert ledger.done(store) == set()
    assert ledger.rows_of(store, ["k"]) == {}


def test_round_trip(store):
    rows = [row("b", validation=0.5), row("a", status="diverged", validation=None, curve=[])]
    assert ledger.commit(store, rows)
    assert ledger.rows(ledger.read(store)) == rows[::-1]  # by key
    assert ledger.read(store).schema == ROW_SCHEMA


def test_a_single_run_has_its_own_part(store):
    ledger.commit(store, [row("abc")])
    assert store.list("runs") == ["runs/ab/abc.parquet"]


def test_the_same_shard_is_one_part(store):
    first = [row("a", attempt="1"), row("b", attempt="1")]
    assert ledger.commit(store, first)
    again = [row("b", attempt="2"), row("a", attempt="2")]
    assert ledger.commit(store, again) is False
    assert len(store.list("runs")) == 1
    assert {r.attempt for r in ledger.rows(ledger.read(store))} == {"1"}


def test_a_run_in_two_parts_is_read_once(store):
    ledger.commit(store, [row("a", attempt="alone")])
    ledger.commit(store, [row("a", attempt="shard"), row("b", attempt="shard")])
    assert len(store.list("runs")) == 2
    found = ledger.rows(ledger.read(store))
    assert [r.key for r in found] == ["a", "b"]
    assert ledger.rows(ledger.read(store)) == found  # the same one every time


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, unique=True), max_size=6))
def test_each_run_once_whatever_was_committed(parts):
    store = Memory()
    for number, part in enumerate(parts):
        ledger.commit(store, [row(key, attempt=f"{number}", seed=ord(key)) for key in part])
    everything = sorted({key for part in parts for key in part})
    table = ledger.read(store)
    assert table["key"].to_pylist() == everything
    assert table["seed"].to_pylist() == [ord(key) for key in everything]  # of one row each
    assert ledger.done(store) == set(everything)


def test_some_columns(store):
    ledger.commit(store, [row("b", spec="4/8"), row("a", spec="3/8")])
    table = ledger.read(store, ["spec"])
    assert table.to_pydict() == {
        "key": ["a", "b"], "schema_version": [SCHEMA_VERSION] * 2, "spec": ["3/8", "4/8"],
    }  # fmt: skip
    assert ledger.read(store, ["key", "spec"]).column_names == table.column_names


def test_done_whatever_the_status(store):
    ledger.commit(store, [row("a"), row("b", status="diverged"), row("c", status="failed")])
    assert ledger.done(store) == {"a", "b", "c"}


@pytest.mark.parametrize("statuses", [("failed", "ok"), ("failed", "diverged"), ("failed",) * 2])
def test_a_retried_run_takes_the_place_of_its_failed_row(store, statuses):
    for number, status in enumerate(statuses):
        some = [row("a", status=status, attempt=f"{number}"), row("b", attempt=f"{number}")]
        ledger.commit(store, some, retried=number > 0)
    assert len(store.list("runs")) == 2
    found = ledger.rows_of(store, ["a", "b"])
    assert found["a"].status == statuses[-1]
    assert ledger.read(store, ["key"]).column_names == ["key", "schema_version"]
    assert ledger.done(store) == {"a", "b"}


def test_rows_of_some_keys(store):
    ledger.commit(store, [row("a"), row("b"), row("c")])
    found = ledger.rows_of(store, ["c", "a", "none"])
    assert found == {"a": row("a"), "c": row("c")}
    assert ledger.rows_of(store, []) == {}


def newer(key="new", **more):
    """A part as a later version may write it."""
    facts = asdict(row(key)) | {"schema_version": SCHEMA_VERSION + 1} | more
    schema = ROW_SCHEMA
    for name in more:
        schema = schema.append(pa.field(name, pa.string()))
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([facts], schema=schema), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("more", [{}, {"warmth": "hot"}], ids=["rows", "columns"])
@pytest.mark.parametrize("others", [0, 1])
def test_rows_of_a_newer_version_are_refused(store, more, others):
    for key in ["a"][:others]:
        ledger.commit(store, [row(key)])
    store.put("runs/ne/new.parquet", newer(**more))
    for call in (ledger.read, ledger.done, lambda s: ledger.rows_of(s, ["a"])):
        with pytest.raises(UserError, match=r"rows of schema 2, .* knows 1: upgrade dass-ray"):
            call(store)
