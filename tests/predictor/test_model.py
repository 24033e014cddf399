import math
from dataclasses import replace

import pytest
import torch

from dass_ray.predictor.learner import Learner
from dass_ray.predictor.model import Intervals, Units, Verified, log_odds
from dass_ray.predictor.network import Batch, Tasks
from dass_ray.predictor.residuals import Residuals

from . import make

UNITS = Units(0.05, 0.7)


@pytest.fixture(scope="module")
def runs():
    return make.runs()


def built(runs, units=UNITS, **changed):
    predictor = Learner([runs], make.config(members=3, inner_lr=0.05, **changed)).predictor()
    return replace(predictor, units=units)


def test_log_odds_by_hand():
    found = log_odds(torch.tensor([0.5, 0.75, 0.2, 0.0, 1.0]))
    ends = math.log(999)
    expected = [0, math.log(3), -math.log(4), -ends, ends]
    assert found.tolist() == pytest.approx(expected, abs=1e-3)


def test_units_by_hand():
    """Log-odds of 0.9 are log 9, those of 0.5 are 0."""
    units = Units(2.0, 1.0)
    found = units.targets(torch.tensor([0.5, 0.9]), 0.9)
    assert found.tolist() == pytest.approx([1 - math.log(9) / 2, 1], abs=1e-6)
    assert units.accuracy(found, 0.9).tolist() == pytest.approx([0.5, 0.9], abs=1e-6)


def test_the_ensemble_equals_its_members_one_by_one(runs):
    found, outputs = built(runs), []
    for m in range(3):
        one = replace(found, params=member(found.params, m), rates=member(found.rates, m))
        outputs.append(one.adapted(runs.task).outputs(runs.students)[0])
    odds = math.log(9) + UNITS.scale * (torch.stack(outputs) - UNITS.offset)
    accuracies = torch.sigmoid(odds)
    scores = found.adapted(runs.task).score(runs.students)
    assert scores.mean.shape == scores.std.shape == (24,)
    assert torch.allclose(scores.mean, accuracies.mean(dim=0), atol=1e-5)
    assert torch.allclose(scores.std, accuracies.std(dim=0, correction=0), atol=1e-5)
    assert scores.std.min() > 0


def member(group, m):
    return {name: value[m : m + 1] for name, value in group.items()}


def test_a_single_member_is_certain(runs):
    found = built(runs)
    one = replace(found, params=member(found.params, 0), rates=member(found.rates, 0))
    assert one.adapted(runs.task).score(runs.students).std.abs().max() == 0


def test_adaptation_moves_the_teacher_towards_its_own_accuracy(runs):
    teacher, found = runs.task.teacher, built(runs)
    after = found.adapted(runs.task).outputs(teacher)
    before = replace(found, order="none").adapted(runs.task).outputs(teacher)
    assert ((after - UNITS.offset).abs() < (before - UNITS.offset).abs()).all()


def test_adapting_leaves_the_predictor_as_it_is(runs):
    found = built(runs)
    before = {name: value.clone() for name, value in found.params.items()}
    adapted = found.adapted(runs.task)
    assert all(torch.equal(before[name], value) for name, value in found.params.items())
    assert any(not torch.equal(adapted.params[name][:, 0], before[name]) for name in before)


def test_another_teacher_adapts_otherwise(runs):
    found, other = built(runs), make.runs(seed=1)
    a, b = (found.adapted(r.task).score(runs.students).mean for r in (runs, other))
    assert not torch.allclose(a, b)


def test_inner_steps_see_verified_students_beside_the_teacher(runs):
    found = built(runs, learning="gradient")
    chosen = torch.tensor([3, 5, 8])
    verified = Verified(runs.students[chosen], torch.tensor([0.2, 0.3, 0.4]))
    support = found._support(runs.task, verified)
    assert support.targets.shape == (1, 4)
    assert support.targets[0, 0] == pytest.approx(UNITS.offset)
    assert UNITS.accuracy(support.targets[0, 1:], 0.9).tolist() == pytest.approx([0.2, 0.3, 0.4])
    assert support.weights.tolist() == [pytest.approx([0.25] * 4)]
    assert torch.equal(support.students.vectors[0, 1:], runs.students.vectors[chosen])
    alone, told = (found.adapted(runs.task, v).outputs(runs.students) for v in (None, verified))
    assert not torch.allclose(alone, told)


def test_residuals_correct_every_member_alike(runs):
    found, chosen = built(runs), torch.tensor([3, 5, 8])
    verified = Verified(runs.students[chosen], torch.tensor([0.2, 0.3, 0.4]))
    alone, told = found.adapted(runs.task), found.adapted(runs.task, verified)
    before = alone.outputs(runs.students)
    targets = UNITS.targets(verified.accuracy, 0.9)
    hidden = alone.hidden(runs.students)
    expected = Residuals.of(hidden[chosen], before[:, chosen].mean(dim=0), targets).at(hidden)
    after = told.outputs(runs.students)
    assert torch.allclose(after - before, expected.expand(3, -1), atol=1e-4)
    assert ((after.mean(dim=0)[chosen] - targets).abs() < (before.mean(dim=0)[chosen] - targets)
            .abs()).all()  # fmt: skip


def test_hidden_layers_side_by_side(runs):
    adapted = built(runs).adapted(runs.task)
    found = adapted.hidden(runs.students)
    assert found.shape == (24, 3 * 8)
    inputs = (Tasks.of([runs.task]), Batch.of([runs.students]))
    layers = adapted.predictor.net.hidden_layer(adapted.params, *inputs)
    assert torch.equal(found[:, 8:16], layers[1, 0])


def test_chunks_do_not_matter(runs, monkeypatch):
    adapted = built(runs).adapted(runs.task)
    whole = adapted.outputs(runs.students)
    monkeypatch.setattr("dass_ray.predictor.model.CHUNK", 5)
    assert torch.allclose(adapted.outputs(runs.students), whole, atol=1e-5)


def test_intervals_by_hand(runs):
    found = replace(built(runs), intervals=Intervals(0.01, {0.8: 2.0}))
    adapted = found.adapted(runs.task)
    scores = adapted.score(runs.students)
    low, high = adapted.interval(scores, 0.8)
    assert torch.allclose(high - scores.mean, 2 * (scores.std + 0.01), atol=1e-6)
    assert torch.allclose(scores.mean - low, 2 * (scores.std + 0.01), atol=1e-6)
    wide = replace(found, intervals=Intervals(9.0, {0.8: 2.0})).adapted(runs.task)
    assert [end.unique().tolist() for end in wide.interval(scores, 0.8)] == [[0], [1]]
    with pytest.raises(KeyError):
        adapted.interval(scores, 0.7)
