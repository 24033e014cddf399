from typer.testing import CliRunner

from dass_ray.cli.main import app

from ..ledger.make import keys, parts


def ask(store, *words):
    result = CliRunner().invoke(app, ["compact", "--store", store.uri, *words])
    assert result.exit_code == 0, result.output
    return result.output.splitlines()[-1]


def test_merges_then_deletes(store):
    parts(store, "ab", "cd")
    assert ask(store) == "2 files of 4 runs merged, 0 merged earlier deleted"
    assert ask(store) == "0 files of 0 runs merged, 0 merged earlier deleted"
    assert ask(store, "--grace", "0") == "0 files of 0 runs merged, 2 merged earlier deleted"
    assert keys(store) == list("abcd")


def test_help_says_that_it_is_safe():
    told = " ".join(CliRunner().invoke(app, ["compact", "--help"]).output.split())
    for words in ("no run is lost", "--grace", "--store"):
        assert words in told
