import csv
import io
import json

import pandas
import pytest
from typer.testing import CliRunner

from dass_ray import ledger
from dass_ray.cli import main as cli

from ..make import row


@pytest.fixture
def filled(store):
    ledger.commit(store, [
        row("a", dataset="bars", seed=0, params=10, validation=0.5, test=0.9),
        row("b", dataset="bars", seed=1, params=20, validation=0.75, test=0.8),
        row("c", dataset="dots", seed=0, params=30, validation=0.625, test=0.7),
        row("d", dataset="dots", seed=1, status="failed", validation=None, test=None),
    ])  # fmt: skip
    return store


def ask(store, *words):
    result = CliRunner().invoke(cli.app, ["runs", "--store", store.uri, *words])
    assert result.exit_code == 0, result.output
    return result.output


def keys(store, *words):
    return "".join(json.loads(line)["key"] for line in ask(store, "--json", *words).splitlines())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("", "bcad"),
        ("-n 2", "bc"),
        ("--status ok -d bars", "ba"),
        ("-w params>10 -w status=ok", "bc"),
        ("-w seed=0,2 --sort test", "ac"),
        ("--sort params --ascending -w params>1", "abc"),
    ],
)
def test_filters_and_orders(filled, words, expected):
    assert keys(filled, *words.split()) == expected


def test_a_person_sees_the_column_that_is_sorted_by(filled):
    out = ask(filled, "--sort", "seconds", "-n", "1")
    assert "seconds" in out
    assert "50.0%" in out
    assert "1 of 4 runs" in out


def test_groups(filled):
    out = ask(filled, "--by", "dataset")
    lines = [line.split() for line in out.splitlines() if "%" in line]
    assert lines == [["bars", "2", "62.5%", "50.0%", "75.0%"], ["dots", "2", *["62.5%"] * 3]]
    assert "2 of 2 groups" in out
    (line,) = ask(filled, "--by", "dataset", "--of", "params", "-n", "1", "--json").splitlines()
    assert json.loads(line) == {"dataset": "dots", "runs": 2, "mean": 15.5, "least": 1, "most": 30}
    first = ask(filled, "--by", "dataset", "--sort", "most", "--ascending", "--json").splitlines()[
        0
    ]
    assert json.loads(first)["dataset"] == "dots"


def test_csv(filled):
    rows = list(csv.DictReader(io.StringIO(ask(filled, "--csv", "-w", "status=ok"))))
    assert [one["key"] for one in rows] == ["b", "c", "a"]
    assert rows[0]["validation"] == "0.75"


def test_files(filled, tmp_path):
    out = ask(filled, "--out", str(tmp_path / "rows.parquet"), "-w", "status=ok")
    assert out.endswith("rows.parquet: 3 runs\n")
    assert sorted(pandas.read_parquet(tmp_path / "rows.parquet")["key"]) == ["a", "b", "c"]
    assert ask(filled, "--by", "dataset", "-o", str(tmp_path / "g.csv")).endswith("2 groups\n")
    assert list(pandas.read_csv(tmp_path / "g.csv")["runs"]) == [2, 2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--sort speed", "no column 'speed'"),
        ("--by dataset --sort test", "groups have no 'test' to sort by; they have dataset, runs"),
        ("--out x.parquet --sort test", "--out writes all runs, in no order"),
        ("-w params", "'params' is no condition"),
    ],
)
def test_bad_input(filled, monkeypatch, capsys, words, message):
    monkeypatch.setattr("sys.argv", ["dass-ray", "runs", "--store", filled.uri, *words.split()])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    assert capsys.readouterr().err.startswith(f"error: {message}")
