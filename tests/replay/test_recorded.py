import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dass_ray.errors import UserError
from dass_ray.replay.recorded import CARD, Recorded

from .conftest import N


def test_a_file_says_what_it_was_written_from(recorded, accuracy, tmp_path):
    (tmp_path / "runs.parquet").write_bytes(recorded.to_parquet())
    found = Recorded.read(tmp_path / "runs.parquet")
    assert found.card == recorded.card
    new, old = found.tasks()
    assert (new.name, old.name) == ("new/teacher-", "old/teacher-")
    assert new.validation.shape == (2, N)
    assert old.validation.shape == (1, N)
    assert sorted(old.mean) == pytest.approx(sorted(accuracy))
    assert (new.scores["predictor"] == new.validation[0]).all()
    assert "predictor" not in old.scores
    assert set(old.scores) == {"nwot"}


def test_students_accuracies_and_costs_belong_together(recorded):
    (task, _) = recorded.tasks()
    by_spec = {
        (row["spec"], row["seed"]): row["validation"]
        for row in recorded.rows.to_pylist()
        if row["dataset"] == "new"
    }
    for i, spec in enumerate(task.space.unpack(task.specs)):
        assert task.validation[:, i].tolist() == [by_spec[str(spec), seed] for seed in (0, 1)]
    assert (np.diff(task.cost.params[np.argsort(task.cost.params)]) >= 0).all()


def test_a_student_without_one_of_the_seeds_has_the_others_mean(recorded):
    table = recorded.rows.filter(
        pa.array([i != recorded.rows.num_rows - 1 for i in range(recorded.rows.num_rows)])
    )
    task, _ = Recorded(recorded.card, table).tasks()
    assert np.isnan(task.validation).sum() == 1
    assert np.isfinite(task.mean).all()


def test_the_tasks_that_the_predictor_has_not_seen_are_the_ones_to_judge_by(recorded):
    assert [task.name for task in recorded.chosen()] == ["new/teacher-"]
    assert [task.name for task in recorded.chosen(["old", "new"])] == [
        "new/teacher-", "old/teacher-"
    ]  # fmt: skip
    with pytest.raises(UserError, match="no such task was recorded; there are new/teacher-, old"):
        recorded.chosen(["olf"])


def test_other_files_are_refused(tmp_path, recorded):
    with pytest.raises(UserError, match="cannot read recorded runs from nowhere"):
        Recorded.read("nowhere")
    path = tmp_path / "a.parquet"
    path.write_text("no Parquet")
    with pytest.raises(UserError, match="cannot read recorded runs"):
        Recorded.read(path)
    pq.write_table(recorded.rows, path)
    with pytest.raises(UserError, match="holds no recorded runs"):
        Recorded.read(path)
    newer = recorded.rows.replace_schema_metadata({CARD: b'{"format": 2, "more": 1}'})
    pq.write_table(newer, path)
    with pytest.raises(UserError, match="newer dass-ray"):
        Recorded.read(path)


def test_what_the_package_ships():
    """The meta-dataset of docs/RESULTS.md; the predictor has seen all but CIFAR-10."""
    shipped = Recorded.read("micro")
    tasks = list(shipped.tasks())
    assert len(tasks) == 22
    assert min(len(task.specs) for task in tasks) == 36
    assert shipped.card.scored_by == "micro-v3"
    assert {task.name.partition("/")[0] for task in shipped.chosen()} == {"cifar10"}
    assert all(0 < task.mean.min() < task.mean.max() < 1 for task in tasks)
