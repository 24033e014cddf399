"""Files for other tools, read by these tools."""

import json
import os
import re
from pathlib import Path

import duckdb
import pandas
import pytest

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger.compact import compact
from dass_ray.ledger.save import save
from dass_ray.ledger.sweep import sweep
from dass_ray.records import ROW_SCHEMA

from ..make import row
from .make import compacted, keys

PAGE = Path(__file__).parents[2] / "docs" / "QUERY.md"


def shown(language):
    """The code of a language in docs/QUERY.md, block by block."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


@pytest.fixture
def mixed(store):
    """Large and loose parts, a double, and two runs that failed, of which one was retried."""
    compacted(store)
    failed = {"status": "failed", "validation": None, "test": None}
    for key in "pq":
        ledger.commit(store, [row(key, **failed)])
    ledger.commit(store, [row("p", validation=0.7)], retried=True)
    return store


def saved(store, file):
    return save(ledger.batches(store), ROW_SCHEMA, file)


def test_pandas_and_duckdb_read_each_run_once(mixed, tmp_path):
    file, every = tmp_path / "rows.parquet", ledger.read(mixed)
    assert saved(mixed, file) == len(every) == 13
    frame = pandas.read_parquet(file).sort_values("key", ignore_index=True)
    pandas.testing.assert_frame_equal(frame, every.to_pandas())
    counted = duckdb.sql(f"SELECT status, count(*) FROM '{file}' GROUP BY ALL ORDER BY ALL")
    assert counted.fetchall() == [("failed", 1), ("ok", 12)]


def test_what_the_docs_say_of_pandas_and_duckdb(mixed, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)  # where the store is ./store
    for code in shown("python"):
        exec(code, {})
    out = capfd.readouterr().out
    assert re.search(r"tinges +12.0 +0.79", out)  # pandas: those with an accuracy
    assert re.search(r"tinges +│ +13 +│ +0.75", out)  # DuckDB: all


def test_what_the_docs_say_of_duckdb_without_us(mixed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (query,) = shown("sql")
    every = ledger.read(mixed)
    found = duckdb.sql(query).to_arrow_table().select(ROW_SCHEMA.names)
    assert found.sort_by("key").equals(every)
    compact(mixed)
    assert len(mixed.list("runs")) > 0  # merged ones stay for a while, and are not counted twice
    assert len(duckdb.sql(query).to_arrow_table()) == len(every)
    sweep(mixed, grace=0)
    assert mixed.list("runs") == []
    (early, _, late) = query.partition("['store/runs/*/*.parquet', ")
    assert late
    assert len(duckdb.sql(f"{early}[{late}").to_arrow_table()) == len(every)


def test_csv_and_json_lines(mixed, tmp_path):
    assert saved(mixed, tmp_path / "rows.csv") == saved(mixed, tmp_path / "rows.jsonl") == 13
    frame = pandas.read_csv(tmp_path / "rows.csv", index_col="key")
    lines = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sorted(frame.index) == sorted(line["key"] for line in lines) == keys(mixed)
    assert frame.loc["p", "validation"] == 0.7
    assert json.loads(frame.loc["p", "curve"]) == lines[0]["curve"] == [0.4, 0.85, 0.8]
    assert pandas.isna(frame.loc["q", "validation"])


def test_a_file_is_replaced_whole_or_not_at_all(mixed, tmp_path):
    file = tmp_path / "rows.parquet"
    file.write_bytes(b"old")

    def broken():
        yield from ledger.batches(mixed)
        raise UserError("the server is gone")

    with pytest.raises(UserError, match="gone"):
        save(broken(), ROW_SCHEMA, file)
    assert file.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["rows.parquet", "store"]
    saved(mixed, file)
    assert len(pandas.read_parquet(file)) == 13


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rows.xlsx", "no ending that is known: use .parquet"),
        ("none/rows.csv", "cannot write .*: No"),
    ],
)
def test_what_cannot_be_written(mixed, tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        saved(mixed, tmp_path / name)
