"""The whole evaluation on made-up tasks."""

from dataclasses import replace

import numpy as np
import pytest

from dass_ray.config import EvaluateConfig
from dass_ray.errors import UserError
from dass_ray.evaluation.baselines.fitted import MODELS
from dass_ray.evaluation.evaluate import evaluate
from dass_ray.evaluation.metrics import spearman
from dass_ray.predictor.tasks import task_ledgers
from dass_ray.zero_cost.catalogue import SCORES

from ..make import TINY


def judged(store, folder, told, **changed):
    facts = {"predictor": "small", "space": TINY, "datasets": ("c",), "top": 2, "images": 10,
             "given": (3, 5), "repeats": 2}  # fmt: skip
    folder.mkdir(exist_ok=True)
    return evaluate(store, EvaluateConfig(**facts | changed), folder, folder / "kept", told)


LEARNED = {
    "mean accuracy of meta-train tasks", "boosting on zero-cost scores", "boosting on architecture",
}  # fmt: skip


def test_every_method_is_judged(store, tmp_path, told):
    ablations = {"one member": {"members": 1}, "no signals": {"encodings": {"signals": []}}}
    found = judged(store, tmp_path, told, ablations=ablations)
    groups = {}
    for row in found.rows:
        if row.task == "":
            groups.setdefault(row.group, set()).add(row.method)
    assert groups == {
        "ours": {"predictor"},
        "ablation": {"one member", "no signals"},
        "no KD": {"random", "parameters", "FLOPs", *SCORES} | LEARNED,
        "KD on target": {"predictor, 3 runs", *(f"{model}, 3 runs" for model in MODELS)}
        | {"KD of 1 epoch"},
    }
    assert [c.task for c in found.ceilings] == ["c/of c"]
    assert told.phases[0] == ("zero-cost scores", 12)
    assert told.steps[0] == [*range(1, 7), *range(6, 13), 12]
    assert ("encoding and scoring", 1) in told.phases


def test_figures_are_of_real_runs(store, tmp_path, told):
    found = judged(store, tmp_path, told)
    rows = {row.method: row for row in found.rows if row.task}
    (task,) = task_ledgers(store, ["c"], TINY)
    short = dict(zip([0.3, 0.8, 0.5, 0.6, 0.1, 0.9], [0.9, 0.1, 0.6, 0.5, 0.8, 0.3], strict=True))
    reversed_ = [short[round(v, 1)] for v in task.accuracy[0]]
    assert rows["KD of 1 epoch"].spearman == pytest.approx(spearman(np.array(reversed_), task.mean))
    assert rows["KD of 1 epoch"].seconds == 0.5
    assert rows["random forest, 3 runs"].target_seconds == 3 * 2.5
    assert rows["predictor"].seconds > 0
    assert rows["predictor"].coverage is not None


@pytest.mark.parametrize("name", ["a", "b"])
def test_tasks_that_it_has_seen_are_refused(store, tmp_path, told, name):
    with pytest.raises(UserError, match=f"made with runs of {name}/of {name}: evaluate it on"):
        judged(store, tmp_path, told, datasets=("c", name))
    assert told.phases == []


def test_another_teacher_of_a_data_set_that_it_has_seen(store, tmp_path, told):
    store.teacher("new", seed=7, data="a")
    store.runs([0.4, 0.2, 0.6, 0.5, 0.3, 0.7], teacher="new", data="a")
    found = judged(store, tmp_path, told, datasets=("a",), without_teachers=("of a",))
    assert {row.task for row in found.rows} == {"", "a/new"}
    assert told.phases[0] == ("zero-cost scores", 12)  # of a/of a, which it knows, and a/new
    (boosting,) = (r for r in found.rows if r.task and r.method == "boosting on architecture")
    assert boosting.spearman < 1  # it would be 1 with the new teacher's runs


def test_without_runs_of_its_meta_training(store, tmp_path, told):
    for path in store.list("runs"):
        if b"of a" in store.objects[path]:
            del store.objects[path]
    found = judged(store, tmp_path, told)
    assert not LEARNED & {row.method for row in found.rows}
    with pytest.raises(UserError, match="fewer than 3 finished runs of 'a'"):
        judged(store, tmp_path, told, ablations={"one": {"members": 1}})


def test_an_ablation_that_does_not_fit_is_refused_before_any_work(store, tmp_path, told):
    with pytest.raises(UserError, match="members"):
        judged(store, tmp_path, told, ablations={"none": {"members": 0}})
    assert told.phases == []


def test_the_same_result_twice(store, tmp_path, told):
    def rows():
        found = judged(store, tmp_path / str(len(told.phases)), told)
        return [replace(row, seconds=0, strata=0) for row in found.rows]

    assert rows() == rows()
