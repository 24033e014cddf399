import numpy as np
import optuna
import pyarrow as pa
import pytest
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from dass_ray import cost as cost_module
from dass_ray.config import SearchConfig
from dass_ray.cost import Cost, Limits, cost
from dass_ray.explore import Explorer
from dass_ray.predictor.scorer import Scored
from dass_ray.searches import BATCH_SCHEMA
from dass_ray.space import Space, Spec

from .make import TINY

SMALL = Space(name="small", image_size=8, widths=(8, 8, 16), strides=(1, 2, 1), max_depth=4)
CLASSES, BATCH = 3, 10
TIGHT = Limits(params=4700)  # which 1 of 100 uniform draws meets
SAMPLERS = {"nsga2": NSGAIISampler, "tpe": TPESampler, "random": RandomSampler}
GENERATION = NSGAIISampler._get_generation_key()


@pytest.fixture(autouse=True)
def _quick_and_quiet(monkeypatch):
    monkeypatch.setattr(cost_module, "_WALKS", 256)
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    yield
    optuna.logging.set_verbosity(before)


def explorer(sampler="nsga2", space=SMALL, **changed):
    facts = {"limits": TIGHT, "batch": BATCH, "seed": 1}
    config = SearchConfig(dataset="digits", space=space, sampler=sampler, **facts | changed)
    return Explorer(config, CLASSES)


def scored(space, specs):
    """A made-up accuracy that prefers FLOPs to parameters."""
    costs = cost(space, space.pack(specs), CLASSES)
    predicted = 0.5 + costs.flops / 2e7 - costs.params / 2e6
    return Scored(predicted, np.full(len(specs), 0.01), costs.params, costs.flops)


def step(found, n=BATCH):
    """Asks and tells one batch; returns its table as the store would hold it."""
    trials, specs = found.ask(n)
    columns = scored(found.space, specs)
    found.tell(trials, columns)
    rows = {
        "spec": [str(spec) for spec in specs], "predicted": columns.predicted,
        "uncertainty": columns.uncertainty, "params": columns.params, "flops": columns.flops,
        "feasible": found.limits.met(Cost(columns.params, columns.flops)),
    }  # fmt: skip
    return pa.table(rows, schema=BATCH_SCHEMA)


@pytest.fixture(params=SAMPLERS)
def sampler(request):
    return request.param


def test_the_sampler_of_the_config(sampler):
    assert type(explorer(sampler).study.sampler) is SAMPLERS[sampler]


def test_the_first_students_meet_the_limits(sampler):
    found = explorer(sampler)
    _, specs = found.ask(BATCH)
    assert specs == found.starts
    assert len(set(specs)) == BATCH
    assert TIGHT.met(cost(SMALL, SMALL.pack(specs), CLASSES)).all()


def test_where_few_meet_the_limits_the_rest_is_the_samplers(sampler):
    least = cost(TINY, TINY.pack([TINY.smallest]), CLASSES).params[0]
    found = explorer(sampler, TINY, limits=Limits(params=least))
    _, specs = found.ask(5)
    assert specs[0] == TINY.smallest
    assert len(specs) == 5


def test_every_student_is_in_the_space(sampler):
    found = explorer(sampler, TINY, limits=Limits())
    for _ in range(4):
        _, specs = found.ask(BATCH)
        assert len(specs) == BATCH
        for spec in specs:
            TINY.check(spec)


def test_values_and_constraints_are_told(sampler):
    found = explorer(sampler, objectives=("accuracy", "params", "flops"))
    for _ in range(2):
        step(found)
    trials = found.study.get_trials()
    assert len(trials) == 2 * BATCH
    specs = [SMALL.from_params(trial.params) for trial in trials]
    columns = scored(SMALL, specs)
    for i, trial in enumerate(trials):
        assert trial.state == TrialState.COMPLETE
        assert trial.values == [columns.predicted[i], columns.params[i], columns.flops[i]]
        assert trial.constraints == {
            "params": pytest.approx(columns.params[i] / TIGHT.params - 1), "flops": -1,
        }  # fmt: skip


@pytest.mark.parametrize(
    ("objectives", "directions"),
    [
        (("accuracy",), ["MAXIMIZE"]),
        (("accuracy", "flops"), ["MAXIMIZE", "MINIMIZE"]),
        (("params", "accuracy"), ["MINIMIZE", "MAXIMIZE"]),
    ],
)
def test_directions_of_the_objectives(objectives, directions):
    found = explorer(objectives=objectives)
    assert [direction.name for direction in found.study.directions] == directions
    step(found)


def test_the_best_students_are_within_the_limits(sampler):
    found = explorer(sampler)
    for _ in range(4):
        step(found)
    best = [SMALL.from_params(trial.params) for trial in found.study.best_trials]
    assert best
    assert TIGHT.met(cost(SMALL, SMALL.pack(best), CLASSES)).all()


def feasible(found, batches):
    return [np.mean(step(found)["feasible"].to_pylist()) for _ in range(batches)]


def test_constraints_guide_the_search():
    """From the second batch on, since the students of the first are its parents."""
    assert np.mean(feasible(explorer("nsga2"), 5)[1:]) > 0.4
    assert np.mean(feasible(explorer("random"), 5)[1:]) < 0.1


def test_accuracy_guides_the_search():
    found = explorer("nsga2", objectives=("accuracy",), limits=Limits())
    means = [np.mean(step(found)["predicted"].to_pylist()) for _ in range(8)]
    assert means[-1] > means[0] + 0.012  # random draws stay within 0.004


def test_the_seed_decides(sampler):
    def told(seed):
        found = explorer(sampler, seed=seed)
        return [step(found)["spec"].to_pylist() for _ in range(2)]

    first, again, other = told(5), told(5), told(6)
    assert first == again
    assert all(batch != others for batch, others in zip(first, other, strict=True))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_an_error(sampler, bad):
    found = explorer(sampler)
    trials, specs = found.ask(BATCH)
    columns = scored(SMALL, specs)
    columns.predicted[3] = bad
    with pytest.raises(ValueError, match="a score that is not a number"):
        found.tell(trials, columns)
    assert {trial.state for trial in found.study.get_trials()} == {TrialState.RUNNING}


def facts(study):
    """What a study knows of each trial, with students instead of parameters."""
    return [
        (SMALL.from_params(trial.params), trial.values, trial.constraints, trial.state)
        for trial in study.get_trials()
    ]


def replayed(batches, sampler="nsga2"):
    found = explorer(sampler)
    for batch in batches:
        found.replay(batch)
    return found


def test_replay_equals_what_was_told(sampler):
    live = explorer(sampler)
    batches = [step(live) for _ in range(3)]
    again = replayed(batches, sampler)
    assert facts(again.study) == facts(live.study)
    for old, new in zip(live.study.get_trials(), again.study.get_trials(), strict=True):
        assert old.distributions == new.distributions
        if sampler == "nsga2":
            assert old.system_attrs[GENERATION] == new.system_attrs[GENERATION]


def test_a_replayed_search_has_the_parents_of_the_old_one():
    live = explorer()
    batches = [step(live) for _ in range(4)]
    again = replayed(batches)
    for generation in (1, 2, 3, 4):
        old, new = (
            sorted(
                (str(SMALL.from_params(trial.params)), *trial.values)
                for trial in found.study.sampler.get_parent_population(found.study, generation)
            )
            for found in (live, again)
        )
        assert old == new
        assert len(new) == BATCH


def test_a_replayed_search_goes_on(sampler):
    live = explorer(sampler)
    batches = [step(live) for _ in range(2)]
    again = replayed(batches, sampler)
    _, specs = again.ask(BATCH)
    assert specs != again.starts
    assert len(again.study.get_trials()) == 3 * BATCH


def test_a_replayed_search_draws_anew():
    """Not the random students again that it has scored already."""
    live = explorer("random", limits=Limits())
    batches = [step(live) for _ in range(3)]
    drawn = set().union(*(batch["spec"].to_pylist() for batch in batches[1:]))
    for count in (1, 2, 3):
        _, specs = replayed(batches[:count], "random").ask(BATCH)
        assert len(drawn & set(map(str, specs))) < BATCH / 2


def test_children_are_like_the_replayed_parents():
    """With one parent alone, children differ from it by mutation: in about one gene of 14."""
    parent = Spec.parse("6-6/6-7/12-16")
    columns = scored(SMALL, [parent] * BATCH)
    batch = pa.table(
        {"spec": [str(parent)] * BATCH, "predicted": columns.predicted,
         "uncertainty": columns.uncertainty, "params": columns.params, "flops": columns.flops,
         "feasible": [True] * BATCH},
        schema=BATCH_SCHEMA,
    )  # fmt: skip
    found, genes = replayed([batch]), SMALL.to_params(parent)
    trials, _ = found.ask(BATCH)
    changed = [sum(trial.params[name] != genes[name] for name in genes) for trial in trials]
    assert np.mean(changed) < 3
