"""From a store with runs of the made-up tasks a, b (the predictor's) and c (unseen, two seeds)."""

import numpy as np
import pytest

from dass_ray.config import RecordConfig
from dass_ray.errors import UserError
from dass_ray.evaluation.material import Material
from dass_ray.predictor.tasks import task_ledgers
from dass_ray.replay.record import record
from dass_ray.replay.recorded import Recorded
from dass_ray.watch import Silent
from dass_ray.zero_cost.catalogue import SCORES

from ..evaluation.conftest import VALUES
from ..make import TINY


@pytest.fixture(scope="module")
def found(learned, tmp_path_factory):
    config = RecordConfig(space=TINY, datasets=("a", "c"), predictor="small", images=8)
    folder = tmp_path_factory.mktemp("record")
    return record(learned, config, folder, folder / "scores", Silent())


def test_every_run_of_the_recipe_is_a_row(found):
    counts = found.rows.group_by(["dataset", "seed"]).aggregate([("spec", "count")]).to_pylist()
    assert {(row["dataset"], row["seed"]): row["spec_count"] for row in counts} == {
        ("a", 0): len(VALUES), ("c", 0): len(VALUES), ("c", 1): len(VALUES)
    }  # fmt: skip


def test_the_predictor_speaks_of_unseen_tasks_alone(found):
    a, c = found.tasks()
    assert "predictor" not in a.scores
    assert len(set(c.scores["predictor"])) > 1


def test_scores_are_the_students_own(found, learned, tmp_path):
    _, c = found.tasks()
    [task] = task_ledgers(learned, ["c"], TINY)
    values, _ = Material(learned, task, TINY, 8).zero_cost(Silent(), lambda: 0.0)
    by_spec = dict(zip(map(str, TINY.unpack(task.specs)), values, strict=True))
    wanted = np.array([by_spec[str(spec)] for spec in TINY.unpack(c.specs)])
    for i, name in enumerate(SCORES):
        if name in c.scores:  # one that is not a number for a tiny student is left out
            assert c.scores[name] == pytest.approx(wanted[:, i])


def test_a_file_of_it_can_be_read(found, tmp_path):
    (tmp_path / "x").write_bytes(found.to_parquet())
    assert Recorded.read(tmp_path / "x").card.scored_by == "small"


def test_data_sets_without_runs_are_said(learned, tmp_path):
    config = RecordConfig(space=TINY, datasets=("a", "nothing"), predictor="small")
    with pytest.raises(UserError, match="nothing"):
        record(learned, config, tmp_path, tmp_path, Silent())
