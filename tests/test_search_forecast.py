"""What a dry run of a search tells, from the store alone."""

import numpy as np
import pytest

from dass_ray import ledger, pipeline, searches
from dass_ray.config import SearchConfig
from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.limits import Costs, sample_within
from dass_ray.pace import Measured, load
from dass_ray.predictor import checkpoint
from dass_ray.records import teacher_id
from dass_ray.search_forecast import DRAWN, forecast
from dass_ray.searches import Choice, Round, SearchCard
from dass_ray.space import MICRO
from dass_ray.store.empty import EmptyStore
from dass_ray.verify import runs

from . import make_task
from .make import KD, row, specs, teacher_card
from .report.make import scored

LIMITS = {"params": 150_000}


def config(store=None, **changed):
    facts = {"dataset": "bars", "kd": KD, "limits": LIMITS, "candidates": 40}
    facts |= {"verify": {"top": 3, "random": 1, "seeds": (0, 1), "rounds": 2}}
    return SearchConfig(**facts | changed)


def taught(store, **changed):
    """A store with a data set and the made-up teacher that the config gives it."""
    data = make_task.stored(store, "bars").card
    identity = teacher_id(data.fingerprint, MICRO, config().teacher, 0)
    facts = {"id": identity, "dataset": "bars", "dataset_fingerprint": data.fingerprint}
    card = teacher_card(MICRO, **facts | changed)
    store.put(f"teachers/{identity}/card.json", card.model_dump_json().encode())
    return card


def begun(store):
    """A search after its first round: 20 candidates, four runs, of which one can be used."""
    teacher = taught(store)
    predictor = checkpoint.load(store, "shipped", MICRO)[0].identity
    name = pipeline.identity(config(), [teacher], predictor)
    card = SearchCard(
        id=name, config=config(), teacher=teacher, predictor=predictor, started_at=0.0,
        code_version="1",
    )  # fmt: skip
    searches.write_object(store, card, f"searches/{name}/card.json")
    searches.write_batch(store, name, 0, scored(card, specs(MICRO, 20), np.full(20, 0.5)))
    some = specs(MICRO, 2, seed=3)
    costs, choices = cost(MICRO, MICRO.pack(some), 3), []
    for i, (spec, role) in enumerate(zip(some, ("top", "random"), strict=True)):
        keys = tuple(run.key for run in runs(card, str(spec)))
        price = {"params": costs.params[i], "flops": costs.flops[i]}
        facts = {"role": role, "round": 1, "predicted": 0.5, "uncertainty": 0.1, "keys": keys}
        choices.append(Choice(spec=str(spec), **facts, **price))
    searches.write_round(store, name, 1, Round(students=tuple(choices), candidates=20))
    for key in choices[0].keys:
        facts = {"dataset": "bars", "flops": choices[0].flops, "seconds": 4.0}
        ledger.commit(store, [row(key, recipe=KD.model_dump_json(), **facts)])
    store.put(f"students/{choices[0].keys[0]}.safetensors", b"weights")
    return card, choices


def test_nothing_is_there():
    found = forecast(config(dataset="digits"), EmptyStore("./store"))
    assert (found.data, found.teachers, found.known) == (None, (), None)
    assert (found.scored, found.students, found.runs, found.done) == (0, 4, 8, 0)
    assert found.seconds is None
    assert found.predictor.startswith("micro-v")


def test_a_search_that_is_begun(store):
    card, choices = begun(store)
    before = store.list("")
    found = forecast(config(), store)
    assert (found.known, found.teachers) == (card, card.teachers)
    # one run has its network in the store, and a row alone is not enough to ship a student
    assert (found.scored, found.students, found.runs, found.done) == (20, 4, 8, 1)
    pace = Measured.of(ledger.read(store), {"bars": 66}).pace
    chosen = np.array([choices[0].flops, *[choices[1].flops] * 2])
    rng, costs = np.random.default_rng(0), Costs(MICRO, 3)
    drawn = costs(MICRO.pack(sample_within(costs, config().limits, DRAWN, rng))).flops
    fixed = pace.seconds(load(KD, 66, chosen)).sum()
    each = pace.seconds(load(KD, 66, drawn))
    assert found.seconds.least == pytest.approx(fixed + 4 * each.min())
    assert found.seconds.most == pytest.approx(fixed + 4 * each.max())
    assert (found.seconds.device, found.seconds.measured) == ("cpu", 2)
    assert store.list("") == before


def test_more_candidates_alone_may_bring_other_students(store):
    _, choices = begun(store)
    name = searches.ids(store)[0]
    more = tuple(choice.model_copy(update={"role": "top", "round": 2}) for choice in choices)
    searches.write_round(store, name, 2, Round(students=more, candidates=40))
    assert forecast(config(), store).students == 4
    found = forecast(config(candidates=80), store)
    assert (found.students, found.config.candidates) == (4 + 3, 80)


def test_the_teacher_to_be_trained_is_part_of_the_cost(store):
    begun(store)
    known, new = (forecast(config(teacher_seed=seed), store) for seed in (0, 1))
    assert (new.teachers, new.known, new.done) == ((), None, 0)
    assert new.seconds.least > known.seconds.least


def test_several_teachers(store):
    """Each is looked up; their search is another one than that of the first alone."""
    card, _ = begun(store)
    other = card.teacher.model_copy(update={"fingerprint": "e" * 64, "id": "other"})
    store.put("teachers/other/card.json", other.model_dump_json().encode())
    found = forecast(config(teachers=(card.teacher.id, "other")), store)
    assert [one.id for one in found.teachers] == [card.teacher.id, "other"]
    assert (found.known, found.runs) == (None, 8)


BAD = {
    "data": ({"dataset": "bar"}, "did you mean bars"),
    "limits": ({"limits": {"params": 10}}, "the smallest one has"),
    "predictor": ({"predictor": "big"}, "no predictor 'big'"),
    "teacher": ({"teacher_id": "abc"}, "no teacher 'abc'"),
    "unmade data": ({"teacher_id": "abc", "dataset": "digits"}, "not made yet"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_the_search_would_refuse(store, name):
    taught(store)
    changed, message = BAD[name]
    with pytest.raises(UserError, match=message):
        forecast(config(**changed), store)


def test_a_teacher_near_chance(store):
    taught(store, near_chance=True)
    with pytest.raises(UserError, match="stayed near chance"):
        forecast(config(), store)


def test_another_search_of_that_name(store):
    card, _ = begun(store)
    named = card.model_copy(update={"id": "mine", "config": config(name="mine")})
    searches.write_object(store, named, "searches/mine/card.json")
    assert forecast(config(name="mine"), store).known == named
    for changed in ({"batch": 8}, {"teacher_seed": 1}):
        with pytest.raises(UserError, match="another search called 'mine'"):
            forecast(config(name="mine", **changed), store)
