"""`dass-ray status`: what goes on, seen through the store alone."""

from typer.testing import CliRunner

from dass_ray import ledger
from dass_ray.cli import status
from dass_ray.cli.main import app

from ..make import row


def test_what_happened_lately(store):
    """Ten runs within the last minutes of the newest, on two machines, and an old one."""
    new = [row(f"n{i}", started_at=5000.0 + i, seconds=30.0, host=f"h{i % 2}") for i in range(10)]
    ledger.commit(store, [row("old", started_at=100.0, seconds=30.0, host="h9"), *new])
    found = ledger.read(store)
    assert status.lately(found, 5039.0 + 3670) == (
        "the newest run ended 1:01:10 ago; in the 10 minutes up to it 1.0 runs/min, machines: 2"
    )
    assert "ended 0:00:00 ago" in status.lately(found, 4000.0)  # its clock is ahead of ours


def test_status_takes_the_store_as_its_argument(store, tmp_path):
    ledger.commit(store, [row("a"), row("b", status="failed")])
    for words in (["status", str(tmp_path / "store")], ["status", "--store", store.uri]):
        out = CliRunner().invoke(app, words).output
        assert "failed" in out
        assert "the newest run ended" in out


def test_status_of_an_empty_store(store):
    result = CliRunner().invoke(app, ["status", store.uri])
    assert result.exit_code == 0
    assert "newest" not in result.output
