"""What a dry run tells, from the store alone."""

import pytest

from dass_ray import ledger, plan
from dass_ray.collect.forecast import forecast
from dass_ray.config import CollectConfig
from dass_ray.errors import UserError
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.keys import KeySet
from dass_ray.pace import Measured, load
from dass_ray.store.empty import EmptyStore

from .. import make_task
from ..make import KD, TEACH, TINY, row, teacher_card

OTHER = KD.model_copy(update={"epochs": 8})


def config(**changed):
    facts = {
        "datasets": ("bars", "dots"), "space": TINY, "teacher": TEACH, "kd": (KD, OTHER),
        "kd_seeds": (0, 1), "students": 6,
    }  # fmt: skip
    return CollectConfig(**facts | changed)


def teacher(store, name, **changed):
    """A made-up teacher of a data set, under the identity that the config gives it."""
    data = make_task.load_dataset(store, name)
    identity = TeacherPlan(TINY, TEACH, 0).id(data)
    facts = {"dataset": name, "dataset_fingerprint": data.card.fingerprint}
    card = teacher_card(TINY, id=identity, **facts | changed)
    store.put(f"teachers/{identity}/card.json", card.model_dump_json().encode())
    return card


def done(store, card, count, **changed):
    """Rows of the plan's first runs, each of 2 s."""
    for block in plan.blocks(config(), [card]):
        for key, flops in list(zip(block.keys, block.flops, strict=True))[:count]:
            facts = {"dataset": card.dataset, "flops": int(flops), "seconds": 2.0}
            ledger.commit(
                store, [row(key, recipe=block.recipe.model_dump_json(), **facts | changed)]
            )
        count = max(0, count - len(block.keys))


def test_nothing_is_there():
    found = forecast(config(datasets=("digits", "textures:3")), EmptyStore("./store"))
    assert [(task.dataset, task.teacher, task.runs, task.done) for task in found.tasks] == [
        ("digits", None, 24, 0), ("textures-3", None, 24, 0),
    ]  # fmt: skip
    assert {task.seconds for task in found.tasks} == {None}
    assert (found.device, found.measured) == ("", 0)


def test_some_runs_are_there(sets):
    card = teacher(sets, "bars")
    done(sets, card, 5)
    before = sets.list("")
    found = forecast(config(), sets)
    assert [(task.runs, task.done, task.teacher) for task in found.tasks] == [
        (24, 5, card), (24, 0, None),
    ]  # fmt: skip
    assert (found.device, found.measured) == ("cpu", 5)
    bars, dots = found.tasks
    pace = Measured.of(ledger.read(sets), {"bars": 66}).pace
    left = plan.missing(plan.blocks(config(), [card]), KeySet.of(ledger.read(sets)["key"]))
    expected = sum(float(pace.seconds(load(block.recipe, 66, block.flops)).sum()) for block in left)
    assert bars.seconds == pytest.approx(expected)
    assert dots.seconds > bars.seconds  # its teacher's training too
    assert sets.list("") == before


def test_failed_runs_count_as_missing_where_they_are_retried(sets):
    card = teacher(sets, "bars")
    done(sets, card, 4, status="failed", validation=None)
    assert forecast(config(), sets).tasks[0].done == 4
    assert forecast(config(), sets, retry_failed=True).tasks[0].done == 0


def test_near_chance_is_told(sets):
    teacher(sets, "bars", near_chance=True)
    assert [task.near_chance for task in forecast(config(), sets).tasks] == [True, False]


def test_unknown_data(sets):
    for store in (sets, EmptyStore("./store")):
        with pytest.raises(UserError, match="no data set 'bar'"):
            forecast(config(datasets=("bar",)), store)


def test_too_many_students(sets):
    with pytest.raises(UserError, match="lower students"):
        forecast(config(students=73), sets)
