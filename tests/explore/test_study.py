import numpy as np
import pytest
from optuna.samplers import NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from dass_ray.config import SearchConfig
from dass_ray.explore import evolution, guided
from dass_ray.explore.archive import Candidates, keys
from dass_ray.explore.guided import Guided
from dass_ray.explore.study import Explorer
from dass_ray.explore.tables import from_table, to_table
from dass_ray.explore.variables import Blocks, Stages
from dass_ray.limits import Costs, Limits
from dass_ray.space import Space, Spec

from ..make import CLASSES, TINY
from ..make_latency import latency_table
from .make import SMALL

BATCH = 10
TIGHT = Limits(params=4700)  # which 1 of 100 uniform draws meets
SAMPLERS = {
    "guided": Guided, "nsga2": NSGAIISampler, "tpe": TPESampler, "random": RandomSampler,
}  # fmt: skip
GENERATION = NSGAIISampler._get_generation_key()


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for name, value in {"GENERATIONS": 4, "PARENTS": 16, "CHILDREN": 64, "ENDINGS": 32}.items():
        monkeypatch.setattr(evolution, name, value)
    monkeypatch.setattr(guided, "TUNED_ON", 32)


def explorer(sampler="nsga2", space=SMALL, table=None, **changed):
    facts = {"limits": TIGHT, "batch": BATCH, "seed": 1, "latency": "mine" if table else None}
    config = SearchConfig(dataset="digits", space=space, sampler=sampler, **facts | changed)
    return Explorer(config, Costs(space, len(CLASSES), table))


def scored(found, specs):
    """A made-up accuracy that prefers FLOPs to parameters."""
    costs = found.costs(specs)
    predicted = 0.5 + costs.flops / 2e7 - costs.params / 2e6
    return Candidates(specs, predicted, np.full(len(specs), 0.01), costs)


def step(found, n=BATCH):
    """Asks and tells one batch; returns its candidates as the store would give them back."""
    trials, specs = found.ask(n)
    some = scored(found, specs)
    found.tell(trials, some)
    return from_table(found.space, to_table(found.space, some, found.limits, 1))


def texts(found, specs):
    return [str(spec) for spec in found.space.unpack(specs)]


@pytest.fixture(params=SAMPLERS)
def sampler(request):
    return request.param


def test_the_sampler_of_the_config(sampler):
    assert type(explorer(sampler).study.sampler) is SAMPLERS[sampler]


@pytest.mark.parametrize("family", ["resnet", "mobilenet"])
def test_a_deep_space(family):
    """Its stages have more forms than Optuna's floats can count."""
    deep = Space(
        name="deep", image_size=8, widths=(8, 16), strides=(1, 2), max_depth=24, family=family
    )
    found = explorer("guided", deep, limits=Limits())
    for _ in range(3):
        for spec in deep.unpack(step(found).specs):
            deep.check(spec)


def test_the_first_students_meet_the_limits(sampler):
    found = explorer(sampler)
    _, specs = found.ask(BATCH)
    assert np.array_equal(specs, found.starts)
    assert len(set(keys(specs))) == BATCH
    assert TIGHT.met(found.costs(specs)).all()


def test_where_few_meet_the_limits_the_rest_is_the_samplers(sampler):
    least = Costs(TINY, len(CLASSES))(TINY.pack([TINY.smallest])).params[0]
    found = explorer(sampler, TINY, limits=Limits(params=int(least)))
    _, specs = found.ask(5)
    assert TINY.unpack(specs)[0] == TINY.smallest
    assert len(specs) == 5


def test_every_student_is_in_the_space(sampler):
    found = explorer(sampler, TINY, limits=Limits())
    for _ in range(4):
        _, specs = found.ask(BATCH)
        assert len(specs) == BATCH
        for spec in TINY.unpack(specs):
            TINY.check(spec)


def of_trials(found):
    """The students [N, S, D] of a study's trials."""
    return found.variables.specs([trial.params for trial in found.study.get_trials()])


def test_values_and_constraints_are_told(sampler):
    found = explorer(sampler, objectives=("accuracy", "params", "accuracy_lower"))
    parts = [step(found) for _ in range(2)]
    trials = found.study.get_trials()
    assert len(trials) == 2 * BATCH
    columns = scored(found, of_trials(found))
    assert texts(found, columns.specs) == [t for part in parts for t in texts(found, part.specs)]
    for i, trial in enumerate(trials):
        assert trial.state == TrialState.COMPLETE
        accuracy = columns.predicted[i]
        assert trial.values == pytest.approx([accuracy, columns.cost.params[i], accuracy - 0.01])
        assert trial.constraints == {
            "params": pytest.approx(columns.cost.params[i] / TIGHT.params - 1), "flops": -1,
            "latency": -1,
        }  # fmt: skip


def test_latency_is_an_objective_and_a_limit(sampler):
    table = latency_table()
    limit = float(np.median(table.milliseconds(TINY.sample(99, np.random.default_rng(0)))))
    found = explorer(
        sampler, TINY, table, limits=Limits(latency=limit), objectives=("accuracy", "latency")
    )
    step(found)
    ms = table.milliseconds(of_trials(found))
    for trial, own in zip(found.study.get_trials(), ms, strict=True):
        assert trial.values[1] == pytest.approx(own)
        assert trial.constraints["latency"] == pytest.approx(own / limit - 1)
        assert own <= limit  # a start
    assert step(found).cost.latency == pytest.approx(table.milliseconds(of_trials(found)[BATCH:]))


def test_variables_suit_the_sampler(sampler):
    kind = Stages if sampler == "guided" else Blocks
    assert type(explorer(sampler).variables) is kind


@pytest.mark.parametrize(
    ("objectives", "directions"),
    [
        (("accuracy",), ["MAXIMIZE"]),
        (("accuracy", "flops"), ["MAXIMIZE", "MINIMIZE"]),
        (("params", "accuracy"), ["MINIMIZE", "MAXIMIZE"]),
        (("accuracy_lower", "accuracy_upper", "flops"), ["MAXIMIZE", "MAXIMIZE", "MINIMIZE"]),
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
    best = found.variables.specs([trial.params for trial in found.study.best_trials])
    assert len(best)
    assert TIGHT.met(found.costs(best)).all()


def feasible(found, batches):
    return [found.limits.met(step(found).cost).mean() for _ in range(batches)]


def test_constraints_guide_the_search():
    """From the second batch on, since the students of the first are its parents."""
    assert np.mean(feasible(explorer("nsga2"), 5)[1:]) > 0.4
    assert np.mean(feasible(explorer("random"), 5)[1:]) < 0.1
    assert np.mean(feasible(explorer("guided"), 5)) == 1


@pytest.mark.parametrize("sampler", ["nsga2", "guided"])
def test_accuracy_guides_the_search(sampler):
    found = explorer(sampler, objectives=("accuracy",), limits=Limits())
    means = [step(found).predicted.mean() for _ in range(8)]
    assert means[-1] > means[0] + 0.012  # random draws stay within 0.004


def test_ours_repeats_no_student():
    found = explorer("guided", limits=Limits(params=6000))
    names = [name for _ in range(5) for name in keys(step(found).specs)]
    assert len(set(names)) == 5 * BATCH


def test_what_is_asked_and_told_is_in_the_archive(sampler):
    found = explorer(sampler)
    first = step(found)
    assert len(found.archive) == BATCH
    _, specs = found.ask(BATCH)
    assert found.archive.asked == set(keys(first.specs)) | set(keys(specs))
    assert len(found.archive) == BATCH


def test_several_batches_in_flight_are_told_in_any_order(sampler):
    found = explorer(sampler)
    asked = [found.ask(BATCH) for _ in range(3)]
    for trials, specs in asked[::-1]:
        found.tell(trials, scored(found, specs))
    assert len(found.archive) == len(set(keys(np.concatenate([specs for _, specs in asked]))))
    for trial, spec in zip(found.study.get_trials(), of_trials(found), strict=True):
        assert trial.state == TrialState.COMPLETE
        assert trial.values[0] == pytest.approx(scored(found, spec[None]).predicted[0])


def test_a_batch_of_another_size(sampler):
    """The last one of a search may be smaller."""
    found = explorer(sampler)
    step(found)
    assert len(step(found, 3)) == 3
    assert len(step(found)) == BATCH


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_score_that_is_no_number_is_an_error(sampler, bad):
    found = explorer(sampler)
    trials, specs = found.ask(BATCH)
    columns = scored(found, specs)
    columns.predicted[3] = bad
    with pytest.raises(ValueError, match="a score that is not a number"):
        found.tell(trials, columns)
    assert {trial.state for trial in found.study.get_trials()} == {TrialState.RUNNING}


def facts(found):
    """What a study knows of each trial, with students instead of parameters."""
    return [
        (spec, trial.values, trial.constraints, trial.state)
        for spec, trial in zip(
            texts(found, of_trials(found)), found.study.get_trials(), strict=True
        )
    ]


def replayed(batches, sampler="nsga2", **changed):
    found = explorer(sampler, **changed)
    for batch in batches:
        found.replay(batch)
    return found


def test_replay_equals_what_was_told(sampler):
    live = explorer(sampler)
    batches = [step(live) for _ in range(3)]
    again = replayed(batches, sampler)
    assert facts(again) == facts(live)
    for old, new in zip(live.study.get_trials(), again.study.get_trials(), strict=True):
        assert old.distributions == new.distributions
        if sampler == "nsga2":
            assert old.system_attrs[GENERATION] == new.system_attrs[GENERATION]
    for name in ("specs", "predicted", "uncertainty"):
        old, new = (getattr(found.archive.all, name) for found in (live, again))
        assert np.array_equal(old, new), name
    assert again.archive.asked == live.archive.asked
    assert again.replayed == 3


def test_a_replayed_search_has_the_parents_of_the_old_one():
    live = explorer()
    batches = [step(live) for _ in range(4)]
    again = replayed(batches)
    for generation in (1, 2, 3, 4):
        old, new = (
            sorted(
                (*texts(found, found.variables.specs([trial.params])), *trial.values)
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
    assert not np.array_equal(specs, again.starts)
    assert len(again.study.get_trials()) == 3 * BATCH


@pytest.mark.parametrize("sampler", ["random", "guided"])
def test_a_replayed_search_draws_anew(sampler):
    """Not the students again that it has scored already."""
    live = explorer(sampler, limits=Limits())
    batches = [step(live) for _ in range(3)]
    drawn = {name for batch in batches for name in keys(batch.specs)}
    for count in (1, 2, 3):
        again = replayed(batches[:count], sampler, limits=Limits())
        _, specs = again.ask(BATCH)
        known = {name for batch in batches[:count] for name in keys(batch.specs)}
        assert not known & set(keys(specs))
        assert len(drawn & set(keys(specs))) < BATCH / 2


def test_replay_decides_what_ours_proposes_next():
    """The same store gives the same batch on any machine."""
    live = explorer("guided")
    batches = [step(live) for _ in range(3)]
    first, again = (replayed(batches, "guided").ask(BATCH)[1] for _ in range(2))
    assert np.array_equal(first, again)


def test_children_are_like_the_replayed_parents():
    """With one parent alone, children differ from it by mutation: in about one gene of 14."""
    parent = SMALL.pack([Spec.parse("6-6/6-7/12-16")] * BATCH)
    batch = scored(explorer(), parent)
    found = replayed([batch])
    genes = found.variables.params(parent)[0]
    trials, _ = found.ask(BATCH)
    changed = [sum(trial.params[name] != genes[name] for name in genes) for trial in trials]
    assert np.mean(changed) < 3


def test_starts_are_those_of_the_seed(sampler):
    starts = [keys(explorer(sampler, seed=seed).starts) for seed in (1, 1, 2)]
    assert starts[0] == starts[1] != starts[2]
