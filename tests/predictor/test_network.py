import pytest
import torch

from dass_ray.config import Encodings
from dass_ray.predictor.network import Batch, Network, Tasks

from . import make

HIDDEN = 5


@pytest.fixture(scope="module")
def runs():
    return [make.runs(seed=seed, encodings=make.EVERY) for seed in (0, 1)]


def built(runs, encodings=make.EVERY, members=2):
    net = Network.like(encodings, runs[0].task, HIDDEN)
    generator = torch.Generator().manual_seed(0)
    drawn = [[net.new(generator) for _ in runs] for _ in range(members)]
    params = {
        name: torch.stack([torch.stack([one[name] for one in row]) for row in drawn])
        for name in drawn[0][0]
    }
    return net, params


def output(net, params, runs):
    tasks = Tasks.of([r.task for r in runs])
    return net(params, tasks, Batch.of([r.students for r in runs]))


def test_widths_of_the_inputs(runs):
    net, _ = built(runs)
    assert net.widths == {
        "student": 8, "teacher": 8, "architecture": HIDDEN, "set": 32, "signals": 3,
    }  # fmt: skip


def test_members_and_tasks_are_apart(runs):
    net, params = built(runs)
    whole = output(net, params, runs)
    assert whole.shape == (2, 2, 24)
    for m in range(2):
        for t in range(2):
            own = {name: value[m : m + 1, t : t + 1] for name, value in params.items()}
            assert torch.allclose(output(net, own, runs[t : t + 1])[0, 0], whole[m, t], atol=1e-5)


def test_the_mixing_layer_by_hand(runs):
    signals = ("ridge", "kl")
    encodings = Encodings(architecture=True, summary=False, signals=signals)
    mine = [make.runs(encodings=encodings)]
    net, params = built(mine, encodings, members=1)
    w = {name: value[0, 0] for name, value in params.items()}
    students = mine[0].students
    architecture = students.vectors @ w["architecture.weight"] + w["architecture.bias"]
    joined = torch.cat([architecture, students.signals], dim=1)
    mix = torch.cat([w["mix.architecture.weight"], w["mix.signals.weight"]])
    hidden = (joined @ mix + w["mix.bias"]).tanh()
    expected = (hidden @ w["out.weight"] + w["out.bias"])[:, 0]
    assert torch.allclose(output(net, params, mine)[0, 0], expected, atol=1e-6)
    found = net.hidden_layer(params, Tasks.of([mine[0].task]), Batch.of([students]))
    assert torch.allclose(found[0, 0], hidden, atol=1e-6)


@pytest.mark.parametrize("part", ["student", "teacher", "architecture", "set", "signals"])
def test_every_input_matters(runs, part):
    net, params = built(runs)
    before = output(net, params, runs)
    changed = dict(params)
    changed[f"mix.{part}.weight"] = changed[f"mix.{part}.weight"] + 0.5
    assert not torch.allclose(output(net, changed, runs), before)
    assert all(not torch.equal(value[0], value[1]) for value in params.values())


def test_a_set_has_no_order(runs):
    net, params = built(runs)
    tasks, students = Tasks.of([r.task for r in runs]), Batch.of([r.students for r in runs])
    turned = Tasks(tasks.maps, tasks.images.flip(1))
    assert torch.allclose(net(params, turned, students), net(params, tasks, students), atol=1e-5)
    other = Tasks(tasks.maps, tasks.images + 0.3)
    assert not torch.allclose(net(params, other, students), net(params, tasks, students))


def test_what_tells_no_students_apart_still_scores_each(runs):
    """A student's output has its place even where the inputs are those of the task alone."""
    encodings = Encodings(architecture=False, summary=False, signals=("kl",), teacher=True)
    mine = [make.runs(encodings=encodings)]
    net, params = built(mine, encodings)
    zero = params | {"mix.signals.weight": torch.zeros_like(params["mix.signals.weight"])}
    found = output(net, zero, mine)
    assert found.shape == (2, 1, 24)
    assert (found == found[..., :1]).all()
