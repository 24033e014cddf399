"""`dass-ray search --dry-run`: nothing is started and nothing written."""

import pytest
import ray
from typer.testing import CliRunner

from dass_ray import searches
from dass_ray.cli.main import app
from dass_ray.searches import Round
from dass_ray.store import open_store

from ..test_search_forecast import begun


@pytest.fixture
def told(tmp_path, monkeypatch):
    """What a dry run prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray, "init", lambda *_, **__: pytest.fail("Ray was started"))

    def run(*settings):
        words = [word for setting in settings for word in ("-s", setting)]
        result = CliRunner().invoke(app, ["search", "--dry-run", *words])
        assert result.exit_code == 0, result.output
        return " ".join(result.output.split())

    return run


def test_nothing_is_there(told, tmp_path):
    text = told("dataset=digits", "limits.params=150000", "verify.rounds=2")
    assert "digits, to be made" in text
    assert "limits params ≤ 150,000" in text
    assert "4 top and 4 random students in 2 rounds 0 8" in text
    assert "a new search in ./store: 8 KD runs, 0 there, 8 to do, 1 teacher to be" in text
    assert "no run is measured yet" in text
    assert list(tmp_path.iterdir()) == []


def test_a_search_that_is_begun(told, tmp_path):
    store = open_store(str(tmp_path / "store"))
    card, choices = begun(store)
    kd = card.config.kd.model_dump_json()
    same = ("dataset=bars", f"kd={kd}", "limits.params=150000", "candidates=40", "verify.top=3",
            "verify.random=1", "verify.seeds=[0, 1]", "verify.rounds=2")  # fmt: skip
    text = told(*same)
    assert "bars, 66 training images yes" in text
    assert f"teacher {card.teacher.id}, validation 90.0% yes" in text
    assert "on accuracy, flops 20 20" in text
    assert f"search {card.id}, begun in ./store: 8 KD runs, 1 there, 7 to do" in text
    assert "hours on one slot of 'cpu', as 2 runs of the store were measured there" in text
    more = tuple(choice.model_copy(update={"role": "top"}) for choice in choices)
    searches.write_round(store, card.id, 2, Round(students=more, candidates=40))
    assert "up to 14 KD runs" in told(*same, "candidates=80")
