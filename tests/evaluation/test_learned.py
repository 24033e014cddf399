import numpy as np
import pytest

from dass_ray.errors import UserError
from dass_ray.evaluation import learned
from dass_ray.evaluation.baselines import mean_accuracy, transfer
from dass_ray.evaluation.learned import Embedded, ablation, changed, surrogates
from dass_ray.evaluation.material import Material
from dass_ray.predictor.tasks import task_ledgers
from dass_ray.zero_cost.catalogue import SCORES

from ..make import TINY
from ..predictor import make


def test_settings_are_changed_one_by_one():
    config = make.config(encodings=make.EVERY)
    found = changed(config, {"members": 1, "encodings": {"summary": False}})
    assert found.members == 1
    assert found.encodings == make.EVERY.model_copy(update={"summary": False})
    assert changed(config, {}) == config


@pytest.mark.parametrize(
    "change", [{"membres": 1}, {"members": 0}, {"encodings": {"sumary": True}}]
)
def test_a_change_that_does_not_fit(change):
    with pytest.raises(UserError, match="the ablation"):
        changed(make.config(), change)


def test_inputs_are_encoded_once_for_all_switches(store, tmp_path, told, monkeypatch):
    (task,) = task_ledgers(store, ["a"], TINY)
    real, calls = learned.embed, []
    monkeypatch.setattr(learned, "embed", lambda *a: calls.append(1) or real(*a))
    embedded = Embedded(store, TINY, tmp_path, told)
    wants = [make.EVERY, make.PAPER, make.EVERY.model_copy(update={"dataset": False})]
    for want in wants:
        (found,) = embedded.runs([task], want)
        (tmp_path / "alone").mkdir(exist_ok=True)
        expected = real(store, task, TINY, want, tmp_path / "alone")
        for field in ("maps", "vectors", "signals"):
            mine, theirs = (getattr(runs.students, field) for runs in (found, expected))
            assert mine.tolist() == theirs.tolist()
    assert len(calls) == 1
    embedded.runs([task], make.EVERY.model_copy(update={"probe_size": 16}))
    assert len(calls) == 2
    assert told.phases == [("encoding students", 6)] * 2


def test_an_ablation_is_trained_and_ranks_the_test_tasks(store, tmp_path, told):
    groups = tuple(task_ledgers(store, [name], TINY) for name in "abc")
    embedded = Embedded(store, TINY, tmp_path, told)
    (found,) = ablation("as the paper", make.config(episodes=5), embedded, groups, told)
    assert (found.method, found.group, found.task) == ("as the paper", "ablation", "c/of c")
    assert found.scores.shape == (1, 6)
    assert len(set(found.scores[0])) > 1
    assert told.phases[-1] == ("meta-training 'as the paper' (episodes)", 5)


def test_surrogates_learn_from_the_other_tasks(store):
    mine, test = (
        Material(store, task_ledgers(store, [name], TINY)[0], TINY, 10) for name in ("a", "c")
    )
    rng = np.random.default_rng(0)
    scores = {m.task.name: rng.normal(size=(6, len(SCORES))) for m in (mine, test)}
    found = {r.method: r for r in surrogates([mine], scores, [test], 0.5)}
    assert {r.group for r in found.values()} == {"no KD"}
    real = mine.truth.mean
    vectors = [TINY.vectors(m.task.specs) for m in (mine, test)]
    mean = mean_accuracy.score(vectors[1], vectors[:1], [real])
    plain = transfer.score(test.features, [mine.features], [real])
    rows = [transfer.features(m.features, scores[m.task.name]) for m in (mine, test)]
    both = transfer.score(rows[1], rows[:1], [real])
    expected = {
        "mean accuracy of meta-train tasks": (mean, 0.0),
        "boosting on architecture": (plain, 0.0),
        "boosting on zero-cost scores": (both, 0.5),
    }
    assert found.keys() == expected.keys()
    for name, (values, seconds) in expected.items():
        assert found[name].scores.tolist() == [values.tolist()]
        assert found[name].seconds == seconds
