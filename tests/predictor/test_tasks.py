import re

import numpy as np
import pytest
import torch

from dass_ray import ledger
from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.models.weights import fingerprint, to_bytes
from dass_ray.predictor.encode import encode_students, encode_task
from dass_ray.predictor.tasks import task_runs
from dass_ray.space import Space

from .. import make_task
from ..make import KD, TINY, Memory, row, specs, teacher_card

SPECS = list(dict.fromkeys(specs(TINY, 12)))[:6]


class Home(Memory):
    """A store to which teachers and runs are written in a line each."""

    def teacher(self, name="t1", seed=0, space=TINY, data="tinges", validation=0.9):
        net = make_task.teacher(space, seed=seed)
        card = teacher_card(
            space, id=name, dataset=data, validation=validation,
            fingerprint=fingerprint(net.state_dict()),
        )  # fmt: skip
        self.put(f"teachers/{name}/weights.safetensors", to_bytes(net.state_dict()))
        self.put(f"teachers/{name}/card.json", card.model_dump_json().encode())
        return net

    def run(self, spec, validation, *, teacher="t1", data="tinges", seed=0, **changed):
        key = f"{len(self.objects):04d}"
        facts = {"spec": str(spec), "validation": validation, "teacher": teacher, "seed": seed}
        ledger.commit(self, [row(key, dataset=data, **facts | changed)])

    def runs(self, validations, some=SPECS, **changed):
        for spec, validation in zip(some, validations, strict=False):
            self.run(spec, validation, **changed)


def found(task):
    """Real accuracy by student, told from its vector."""
    return {tuple(v): a for v, a in zip(task.students.vectors.tolist(), task.accuracy.tolist(),
                                        strict=True)}  # fmt: skip


def expected(some, values):
    vectors = TINY.vectors(TINY.pack(some)).tolist()
    return {tuple(v): pytest.approx(a) for v, a in zip(vectors, values, strict=True)}


def test_inputs_accuracies_and_costs_belong_together():
    store = Home()
    net = store.teacher(validation=0.77)
    values = [0.3, 0.8, 0.5, 0.6, 0.1, 0.9]
    store.runs(values)
    (task,) = task_runs(store, ["tinges"], TINY)
    assert re.fullmatch(r"tinges/t1/[0-9a-f]{4}", task.name)
    assert found(task) == expected(SPECS, values)
    order = sorted(SPECS, key=str)
    packed = TINY.pack(order)
    students = encode_students(net, packed)
    assert torch.allclose(task.students.maps, students.maps)
    assert torch.equal(task.students.vectors, students.vectors)
    assert task.costs.params.tolist() == cost(TINY, packed, 3).params.tolist()
    assert task.costs.flops.tolist() == cost(TINY, packed, 3).flops.tolist()
    assert task.task.accuracy == 0.77
    assert torch.allclose(task.task.teacher.maps, encode_task(net, 0.77).teacher.maps)
    assert task.accuracy.dtype == torch.float32


def test_seeds_are_averaged():
    store = Home()
    store.teacher()
    store.runs([0.2, 0.4, 0.6], seed=0)
    store.runs([0.4, 0.5, 0.9], seed=1)
    (task,) = task_runs(store, ["tinges"], TINY)
    assert found(task) == expected(SPECS[:3], [0.3, 0.45, 0.75])


def test_runs_that_diverged_are_left_out():
    store = Home()
    store.teacher()
    store.runs([0.2, 0.4, 0.6])
    store.run(SPECS[3], None, status="diverged")
    store.run(SPECS[4], 0.9, status="diverged")
    store.run(SPECS[0], None, status="failed", seed=1)
    (task,) = task_runs(store, ["tinges"], TINY)
    assert found(task) == expected(SPECS[:3], [0.2, 0.4, 0.6])


def test_teachers_and_recipes_are_tasks_of_their_own():
    store = Home()
    store.teacher("t1", seed=0)
    store.teacher("t2", seed=1)
    other = KD.model_copy(update={"epochs": 9}).model_dump_json()
    store.runs([0.1, 0.2, 0.3])
    store.runs([0.4, 0.5, 0.6], recipe=other)
    store.runs([0.7, 0.8, 0.9], teacher="t2")
    tasks = task_runs(store, ["tinges"], TINY)
    assert sorted(min(task.accuracy.tolist()) for task in tasks) == pytest.approx([0.1, 0.4, 0.7])
    assert len({task.name for task in tasks}) == 3
    assert len({task.name for task in tasks}) == 3
    assert torch.equal(tasks[0].task.teacher.maps, tasks[1].task.teacher.maps)
    assert not torch.equal(tasks[0].task.teacher.maps, tasks[2].task.teacher.maps)


def test_data_sets_come_in_the_order_asked():
    store = Home()
    for name in ("a", "textures-3"):
        store.teacher(f"of {name}", data=name)
        store.runs([0.1, 0.2, 0.3], teacher=f"of {name}", data=name)
    tasks = task_runs(store, ["textures:3", "a"], TINY)
    assert [task.name.split("/")[0] for task in tasks] == ["textures-3", "a"]


def test_too_few_students():
    store = Home()
    store.teacher()
    store.runs([0.1, 0.2])
    store.runs([0.1, 0.2], seed=1)  # the same two students
    advice = "fewer than 3 finished runs of 'tinges' in the space 'tiny': run `dass-ray collect`"
    with pytest.raises(UserError, match=advice):
        task_runs(store, ["tinges"], TINY)
    store.run(SPECS[2], 0.3)
    assert len(task_runs(store, ["tinges"], TINY)[0].accuracy) == 3


def test_too_few_of_one_teacher_do_not_spoil_the_others():
    store = Home()
    store.teacher("t1")
    store.teacher("t2", seed=1)
    store.runs([0.1, 0.2, 0.3])
    store.runs([0.1, 0.2], teacher="t2")
    assert len(task_runs(store, ["tinges"], TINY)) == 1


def test_other_spaces_are_other_tasks():
    larger = Space(**TINY.model_dump() | {"name": "larger", "image_size": 16})
    store = Home()
    store.teacher("t1")
    store.teacher("t2", space=larger)
    store.runs([0.1, 0.2, 0.3])
    store.runs([0.4, 0.5, 0.6], teacher="t2")
    (task,) = task_runs(store, ["tinges"], larger)
    assert min(task.accuracy.tolist()) == pytest.approx(0.4)
    with pytest.raises(UserError, match="in the space 'micro'"):
        task_runs(store, ["tinges"], Space(**TINY.model_dump() | {"name": "micro"}))


def test_an_empty_store():
    with pytest.raises(UserError, match="fewer than 3 finished runs of 'tinges'"):
        task_runs(Memory(), ["tinges"], TINY)


def test_many_students_keep_their_accuracies():
    store, rng = Home(), np.random.default_rng(0)
    store.teacher()
    some = list(dict.fromkeys(specs(TINY, 60, seed=3)))
    values = rng.random(len(some)).tolist()
    store.runs(values, some)
    assert found(task_runs(store, ["tinges"], TINY)[0]) == expected(some, values)
