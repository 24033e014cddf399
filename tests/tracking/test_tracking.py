"""What is told is read back from each tracker's own files; MLflow and wandb are extras."""

import pytest

from dass_ray import tracking
from dass_ray.errors import UserError

from ..make import row
from . import read

OK = row("a" * 64, curve=[0.25, 0.75], test=0.5, seconds=2.5)
BAD = row("b" * 64, status="failed", error="it broke", curve=[], validation=None, test=None)
NAME = f"{OK.spec} seed 0 "


@pytest.fixture
def tracker(request, tmp_path, monkeypatch):
    """The name of a tracker that works without a network, and what it has written."""
    name = request.param
    monkeypatch.chdir(tmp_path)
    if name == "tensorboard":
        return name, lambda: read.tensorboard(tmp_path / "here")
    pytest.importorskip(name)
    if name == "mlflow":
        uri = f"sqlite:///{tmp_path}/mlflow.db"
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        return name, lambda: read.mlflow(uri)
    monkeypatch.setenv("WANDB_MODE", "offline")
    return name, lambda: read.wandb(tmp_path)


@pytest.mark.filterwarnings("ignore:The ``noload``")  # of SQLAlchemy, about MLflow's store
@pytest.mark.parametrize("tracker", ["tensorboard", "mlflow", "wandb"], indirect=True)
def test_what_is_told_is_there(tracker):
    name, written = tracker
    with tracking.job([name], "here", "mine", {"dataset": "digits"}) as job:
        job.log(256, {"best_predicted": 0.5})
        job.runs([OK])
        job.log(512, {"best_predicted": 0.625})
        job.runs([BAD])
    found = {run.replace("/", "_"): metrics for run, metrics in written().items()}
    safe = NAME.replace("/", "_")
    safe = safe.replace(" ", "_") if name == "tensorboard" else safe
    assert set(found) == {"mine_job", f"mine_{safe}{'a' * 8}", f"mine_{safe}{'b' * 8}"}
    assert found["mine_job"] == {"best_predicted": [(256, 0.5), (512, 0.625)]}
    assert found[f"mine_{safe}{'a' * 8}"] == {
        "validation": [(1, 0.25), (2, 0.75)], "test": [(2, 0.5)], "seconds": [(2, 2.5)],
    }  # fmt: skip
    assert set(found[f"mine_{safe}{'b' * 8}"]) == {"seconds"}


def test_facts_are_told(tmp_path):
    with tracking.job(["tensorboard"], str(tmp_path), "mine", {}) as job:
        job.runs([OK])
    (text,) = read.texts(tmp_path)
    assert f"| spec | {OK.spec} |" in text
    assert "| kd.epochs | 4 |" in text


def test_a_job_that_ran_nothing_writes_nothing(tmp_path):
    with tracking.job(["tensorboard"], str(tmp_path), "mine", {}):
        pass
    assert list(tmp_path.iterdir()) == []


def test_which_trackers(monkeypatch):
    there = {"tensorboardX"}
    monkeypatch.setattr(tracking, "find_spec", lambda name: name if name in there else None)
    assert tracking.chosen(None) == []
    assert tracking.chosen(()) == []
    assert tracking.chosen(("tensorboard", "tensorboard")) == ["tensorboard"]
    with pytest.raises(UserError, match=r"pip install 'dass-ray\[wandb\]'"):
        tracking.chosen(("tensorboard", "wandb"))
    there.add("tensorboard")
    assert tracking.chosen(None) == ["tensorboard"]


def test_trouble_of_a_tracker_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(UserError, match=r"tensorboard could not be told: .* leave it out"),
        tracking.job(["tensorboard"], str(tmp_path / "file"), "mine", {}) as job,
    ):
        job.log(1, {"best_predicted": 0.5})
