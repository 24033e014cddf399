from dataclasses import replace

import numpy as np
import pytest
import torch

from dass_ray.config import Encodings
from dass_ray.cost import cost
from dass_ray.data.builtin import resolve
from dass_ray.errors import UserError
from dass_ray.kd import foreign_teachers
from dass_ray.kd.teachers import TeacherPlan, find_card
from dass_ray.predictor import tasks as module
from dass_ray.predictor.encode import TaskEncoder
from dass_ray.predictor.tasks import all_ledgers, embed, encoder, task_ledgers
from dass_ray.space import Space

from .. import make_task
from ..home import SPECS, Home
from ..kd.make_foreign import NETWORK
from ..make import KD, TEACH, TINY, Memory, specs
from .make import EVERY, PAPER


def found(task):
    """Mean accuracy by student."""
    return {str(s): a for s, a in zip(TINY.unpack(task.specs), task.mean.tolist(), strict=True)}


def expected(some, values):
    return {str(spec): pytest.approx(a) for spec, a in zip(some, values, strict=True)}


def one(store, name="tinges", **options):
    (task,) = task_ledgers(store, [name], TINY, **options)
    return task


def test_students_and_accuracies_belong_together():
    store = Home()
    store.teacher(validation=0.77)
    values = [0.3, 0.8, 0.5, 0.6, 0.1, 0.9]
    store.runs(values)
    task = one(store)
    assert task.name == "tinges/t1"
    assert (task.card.validation, task.recipe, task.seconds) == (0.77, KD, 2.5)
    assert found(task) == expected(SPECS, values)


def test_seeds_are_rows_and_their_mean_is_used():
    store = Home()
    store.teacher()
    store.runs([0.2, 0.4, 0.6], seed=0)
    store.runs([0.4, 0.5], seed=1)
    task = one(store)
    assert found(task) == expected(SPECS[:3], [0.3, 0.45, 0.6])
    order = [str(s) for s in TINY.unpack(task.specs)]
    assert task.accuracy.shape == (2, 3)
    assert np.isnan(task.accuracy[1, order.index(str(SPECS[2]))])
    assert task.accuracy[1, order.index(str(SPECS[0]))] == 0.4


def test_runs_that_diverged_are_left_out():
    store = Home()
    store.teacher()
    store.runs([0.2, 0.4, 0.6])
    store.run(SPECS[3], None, status="diverged")
    store.run(SPECS[4], 0.9, status="diverged")
    store.run(SPECS[0], None, status="failed", seed=1)
    assert found(one(store)) == expected(SPECS[:3], [0.2, 0.4, 0.6])


def test_teachers_are_tasks_of_their_own():
    store = Home()
    store.teacher("t1", seed=0)
    store.teacher("t2", seed=1)
    store.runs([0.1, 0.2, 0.3])
    store.runs([0.7, 0.8, 0.9], teacher="t2")
    tasks = task_ledgers(store, ["tinges"], TINY)
    assert [task.name for task in tasks] == ["tinges/t1", "tinges/t2"]
    assert [min(task.mean) for task in tasks] == [0.1, 0.7]
    assert one(store, without=["t1"]).name == "tinges/t2"


def test_the_recipe_that_most_students_have_and_then_the_longest():
    store, shorter = Home(), KD.model_copy(update={"epochs": 2}).model_dump_json()
    store.teacher()
    store.runs([0.1, 0.2, 0.3])
    store.runs([0.4, 0.5, 0.6], recipe=shorter)
    assert one(store).recipe == KD
    store.run(SPECS[3], 0.7, recipe=shorter)
    assert one(store).recipe.epochs == 2
    every = all_ledgers(store, ["tinges"], TINY)
    assert sorted((task.recipe.epochs, len(task.specs)) for task in every) == [(2, 4), (4, 3)]


def test_data_sets_come_in_the_order_asked():
    store = Home()
    for name in ("a", "textures-3"):
        store.teacher(f"of {name}", data=name)
        store.runs([0.1, 0.2, 0.3], teacher=f"of {name}", data=name)
    tasks = task_ledgers(store, ["textures:3", "a"], TINY)
    assert [task.name.split("/")[0] for task in tasks] == ["textures-3", "a"]


def test_too_few_students():
    store = Home()
    store.teacher()
    store.runs([0.1, 0.2])
    store.runs([0.1, 0.2], seed=1)  # the same two students
    advice = "fewer than 3 finished runs of 'tinges' in the space 'tiny': run `dass-ray collect`"
    with pytest.raises(UserError, match=advice):
        one(store)
    store.run(SPECS[2], 0.3)
    assert len(one(store).specs) == 3


def test_too_few_of_one_teacher_do_not_spoil_the_others():
    store = Home()
    store.teacher("t1")
    store.teacher("t2", seed=1)
    store.runs([0.1, 0.2, 0.3])
    store.runs([0.1, 0.2], teacher="t2")
    assert one(store).name == "tinges/t1"


def test_other_spaces_are_other_tasks():
    larger = Space(**TINY.model_dump() | {"name": "larger", "image_size": 16})
    store = Home()
    store.teacher("t1")
    store.teacher("t2", space=larger)
    store.runs([0.1, 0.2, 0.3])
    store.runs([0.4, 0.5, 0.6], teacher="t2")
    (task,) = task_ledgers(store, ["tinges"], larger)
    assert min(task.mean) == 0.4
    unlike = Space(**TINY.model_dump() | {"name": "micro", "widths": (4, 16)})
    with pytest.raises(UserError, match="in the space 'micro'"):
        task_ledgers(store, ["tinges"], unlike)


def test_a_less_deep_space_is_held():
    """Teachers of several depths are tasks of one predictor."""
    deep = Space(**TINY.model_dump() | {"max_depth": 3, "name": "deep"})
    store = Home()
    store.teacher("shallow")
    store.teacher("deep", space=deep)
    store.runs([0.1, 0.2, 0.3], teacher="shallow")
    store.runs([0.4, 0.5, 0.6], teacher="deep")
    tasks = task_ledgers(store, ["tinges"], deep)
    assert [task.specs.shape for task in tasks] == [(3, 2, 3)] * 2
    assert one(store).name == "tinges/shallow"


def test_a_teacher_from_elsewhere_is_compared_by_its_own_logits(monkeypatch):
    """Students are cut from its proxy, whose accuracy is the one that scores are relative to."""
    store = Memory()
    make_task.stored(store, size=16)
    data = resolve(store, "tinges")
    card = foreign_teachers.train_into(store, TeacherPlan(TINY, TEACH, 0, NETWORK), data)
    kinds = Encodings(signals=("kl", "nwot"), images=32)
    found = encoder(store, card, TINY, kinds)
    specs = TINY.sample(4, np.random.default_rng(0))
    assert found.accuracy == card.foreign.proxy.validation
    assert found.soft.shape == (32, 3)
    own = replace(found, soft=None).students(specs).signals
    assert not torch.equal(found.students(specs).signals[:, 0], own[:, 0])
    assert torch.equal(found.students(specs).signals[:, 1], own[:, 1])
    assert encoder(store, card, TINY, Encodings(signals=("nwot",))).soft is None


def test_an_empty_store():
    with pytest.raises(UserError, match="fewer than 3 finished runs of 'tinges'"):
        one(Memory())


def test_many_students_keep_their_accuracies():
    store, rng = Home(), np.random.default_rng(0)
    store.teacher()
    some = list(dict.fromkeys(specs(TINY, 60, seed=3)))
    values = rng.random(len(some)).tolist()
    store.runs(values, some)
    assert found(one(store)) == expected(some, values)


@pytest.mark.parametrize("chunk", [1024, 4])
def test_embeds_what_the_encoder_sees_in_chunks(tmp_path, chunk, monkeypatch):
    monkeypatch.setattr(module, "CHUNK", chunk)
    store, told = Home(), []
    net = store.teacher(validation=0.77)
    store.runs([0.3, 0.8, 0.5, 0.6, 0.1, 0.9])
    runs = embed(store, one(store), TINY, PAPER, tmp_path, told.append)
    assert told == ([6] if chunk > 6 else [4, 6])
    packed = one(store).specs
    encoder = TaskEncoder(net, 0.77, TINY, PAPER)
    students = encoder.students(packed)
    assert torch.allclose(runs.students.maps, students.maps, atol=1e-6)
    assert torch.equal(runs.students.vectors, students.vectors)
    assert runs.costs.params.tolist() == cost(TINY, packed, 3).params.tolist()
    assert runs.costs.flops.tolist() == cost(TINY, packed, 3).flops.tolist()
    assert torch.equal(runs.task.teacher.maps, encoder.task.teacher.maps)
    assert runs.accuracy.tolist() == pytest.approx(one(store).mean.tolist())
    assert runs.accuracy.dtype == torch.float32
    assert runs.task.accuracy == 0.77


def test_embeddings_lie_in_files_that_may_go(tmp_path):
    store = Home()
    store.teacher()
    store.runs([0.3, 0.8, 0.5])
    runs = embed(store, one(store), TINY, PAPER, tmp_path)
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["t1-maps.npy", "t1-vectors.npy"]
    assert np.array_equal(np.load(files[0]), runs.students.maps)
    before = runs.students.maps.clone()
    for file in files:
        file.unlink()
    assert torch.equal(runs.students.maps, before)


def test_real_images_come_from_the_store(tmp_path):
    store = Home()
    make_task.stored(store)
    net = store.teacher()
    store.runs([0.3, 0.8, 0.5])
    runs = embed(store, one(store), TINY, EVERY, tmp_path)
    data = make_task.dataset()
    encoder = TaskEncoder(net, 0.9, TINY, EVERY, data)
    assert torch.allclose(runs.students.signals, encoder.students(one(store).specs).signals)
    assert torch.equal(runs.task.images, encoder.task.images)


def test_a_data_set_whose_runs_have_another_name():
    store = Home()
    data = make_task.stored(store, "mine").card
    store.teacher()
    card = find_card(store, "t1").model_copy(update={"dataset_fingerprint": data.fingerprint})
    store.delete("teachers/t1/card.json")
    store.put("teachers/t1/card.json", card.model_dump_json().encode())
    store.runs([0.3, 0.8, 0.5])
    with pytest.raises(UserError, match=r"^'mine' is the same data set as 'tinges', by which"):
        task_ledgers(store, ["mine"], TINY)
