"""What a worker does, called as the plain functions they are: no Ray is started."""

import json
import time

import pytest
import torch

from dass_ray import ledger
from dass_ray.actors import kd_worker
from dass_ray.actors.kd_worker import How
from dass_ray.actors.packed import PackedData
from dass_ray.data.mapped import IN_MEMORY
from dass_ray.errors import UserError
from dass_ray.kd import distill
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.kd.views import soft_labels
from dass_ray.recipe import KDRecipe
from dass_ray.records import Run
from dass_ray.store import open_store

from .. import make_task
from ..kd.make_foreign import NETWORK
from ..make import KD, TEACH, TINY

SPECS = ("4/6-8", "2/8", "3-4/8")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with a data set and its teacher, and what the runs of the task share."""
    store = open_store(str(tmp_path_factory.mktemp("store")))
    make_task.stored(store)
    card = kd_worker.train_teacher(store.uri, "tinges", TeacherPlan(TINY, TEACH, 0))
    data = kd_worker.load_data(store.uri, "tinges", TINY.image_size)
    teacher = kd_worker.load_teacher(store.uri, card)
    labels = kd_worker.make_soft_labels(store.uri, card, KD, data, teacher)
    return store, card, (data, teacher, labels)


def runs(card, seed):
    return [Run(teacher=card, spec=spec, recipe=KD, seed=seed) for spec in SPECS]


def test_a_teacher_is_trained_once(home):
    store, card, _ = home
    before = store.list("")
    assert kd_worker.train_teacher(store.uri, "tinges", TeacherPlan(TINY, TEACH, 0)) == card
    assert store.list("") == before


def test_a_shard_is_one_part_and_leaves_no_checkpoint(home, monkeypatch):
    store, card, shared = home
    monkeypatch.setattr(kd_worker.StoreCheckpoints.__init__, "__defaults__", (0.0, False))
    seen = []
    commit = ledger.commit
    monkeypatch.setattr(
        ledger,
        "commit",
        lambda *a, **more: (seen.extend(store.list("checkpoints")), commit(*a, **more))[1],
    )
    parts = store.list("runs")
    rows = kd_worker.distil_shard(store.uri, runs(card, 0), *shared).rows
    assert len(store.list("runs")) == len(parts) + 1
    assert [row.spec for row in rows] == list(SPECS)
    assert len({path.split("/")[1] for path in seen}) == 3  # kept until the rows are durable
    assert store.list("checkpoints") == []
    assert not store.list("students")


def test_losses_precision_and_unlabelled_images_reach_the_run(home):
    store, card, (_, teacher, _) = home
    data = PackedData.of(make_task.with_unlabelled(make_task.dataset()), store.uri)
    changed = {"losses": {"logits": 1, "hints": 2, "relational": 1}, "precision": "bfloat16"}
    recipe = KDRecipe(**KD.model_dump() | changed)
    labels = kd_worker.make_soft_labels(store.uri, card, recipe, data, teacher)
    assert labels.logits.shape == (2, 106, 3)
    some = [Run(teacher=card, spec=SPECS[1], recipe=recipe, seed=0)]
    (row,) = kd_worker.distil_shard(store.uri, some, data, teacher, labels).rows
    assert (row.status, row.key) == ("ok", some[0].key)
    assert KDRecipe.model_validate_json(row.recipe) == recipe


def test_weights_are_kept_where_asked(home):
    store, card, shared = home
    (row, *_) = kd_worker.distil_shard(
        store.uri, runs(card, 1), *shared, How(keep_weights=True)
    ).rows
    assert f"students/{row.key}.safetensors" in store.list("students")


def test_what_a_student_provokes_is_a_failed_row(home, monkeypatch):
    """Too little memory for one student, as on a small GPU; the others go on."""
    store, card, shared = home

    def small(spec, *rest, **more):
        if str(spec) == SPECS[1]:
            raise torch.OutOfMemoryError("tried to allocate 9 TiB")
        return distil(spec, *rest, **more)

    monkeypatch.setattr(kd_worker, "distil", small)
    rows = kd_worker.distil_shard(store.uri, runs(card, 2), *shared).rows
    assert [row.status for row in rows] == ["ok", "failed", "ok"]
    assert rows[1].error == "OutOfMemoryError: tried to allocate 9 TiB"
    assert (rows[1].validation, rows[1].test) == (None, None)
    assert rows[1].key in ledger.done(store)


def endless(*_, **__):
    """A run that would never come back."""
    while True:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (MemoryError("no host memory"), "MemoryError: no host memory"),
        (ZeroDivisionError("a bug"), "ZeroDivisionError: a bug"),
        (endless, "TooLong: it took longer than max_seconds=0.2"),
    ],
    ids=["memory", "bug", "endless"],
)
def test_any_fault_of_a_run_is_a_row(home, monkeypatch, fault, error):
    store, card, shared = home

    def broken(*args, **more):
        if callable(fault):
            fault()
        raise fault

    monkeypatch.setattr(kd_worker, "distil", broken)
    how = How(max_seconds=0.2, retried=True)
    (row,) = kd_worker.distil_shard(store.uri, runs(card, 3)[:1], *shared, how).rows
    assert (row.status, row.error) == ("failed", error)


def test_a_fault_of_the_store_is_none_of_the_run(home, monkeypatch):
    store, card, shared = home

    def full(*args, **more):
        raise UserError("the disk is full")

    monkeypatch.setattr(kd_worker, "distil", full)
    parts = store.list("runs")
    with pytest.raises(UserError, match="the disk is full"):
        kd_worker.distil_shard(store.uri, runs(card, 4), *shared)
    assert store.list("runs") == parts


def test_a_retried_run_takes_the_place_of_its_failed_row(home, monkeypatch):
    store, card, shared = home
    some = runs(card, 5)[:1]
    with monkeypatch.context() as patch:
        patch.setattr(kd_worker, "distil", lambda *a, **m: 1 / 0)
        kd_worker.distil_shard(store.uri, some, *shared)
    assert ledger.rows_of(store, [some[0].key])[some[0].key].status == "failed"
    (row,) = kd_worker.distil_shard(store.uri, some, *shared, How(retried=True)).rows
    assert row.status == "ok"
    assert ledger.rows_of(store, [row.key]) == {row.key: row}


@pytest.mark.parametrize("epochs", [0, 2])
def test_a_node_that_was_told_to_go_leaves_what_it_has(home, monkeypatch, epochs):
    """After one run, and then before the second or in the middle of it."""
    store, card, shared = home
    some, asked = runs(card, 7 + epochs), []

    def leaving():
        asked.append(1)
        return len(asked) > 1 + KD.epochs + epochs + bool(epochs)

    monkeypatch.setattr(kd_worker.notice, "here", lambda: leaving)
    done = kd_worker.distil_shard(store.uri, some, *shared)
    assert [row.key for row in done.rows] == [some[0].key]
    assert list(done.left) == some[1:]
    assert {run.key for run in some} & ledger.done(store) == {some[0].key}
    begun = {path.split("/")[1] for path in store.list("checkpoints")}
    assert begun == ({some[1].key} if epochs else set())

    monkeypatch.setattr(kd_worker.notice, "here", lambda: lambda: False)
    more = kd_worker.distil_shard(store.uri, done.left, *shared)
    assert [len(row.curve) for row in more.rows] == [KD.epochs] * 2
    undisturbed = kd_worker.distil_shard(store.uri, runs(card, 7 + epochs), *shared)
    assert [row.curve for row in undisturbed.rows] == [
        row.curve for row in (*done.rows, *more.rows)
    ]
    assert store.list("checkpoints") == []


def test_a_run_goes_on_from_its_checkpoint(home, monkeypatch):
    """One that was killed before its row was in the store."""
    store, card, shared = home
    some = runs(card, 6)[:1]
    monkeypatch.setattr(kd_worker.StoreCheckpoints.__init__, "__defaults__", (0.0, False))
    with monkeypatch.context() as patch:
        patch.setattr(ledger, "commit", lambda *a, **m: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            kd_worker.distil_shard(store.uri, some, *shared)
    (newest,) = {path.split("/")[1] for path in store.list("checkpoints")}
    assert newest == some[0].key
    epochs = []
    train = distill.train
    monkeypatch.setattr(
        distill, "train", lambda *a, **m: train(*a, **m | {"on_epoch": lambda *f: epochs.append(f)})
    )
    (row,) = kd_worker.distil_shard(store.uri, some, *shared).rows
    assert len(epochs) < KD.epochs  # the first at least was done before
    assert len(row.curve) == KD.epochs
    assert store.list("checkpoints") == []


def test_students_of_a_teacher_from_elsewhere(tmp_path):
    """They learn from the network's own soft labels and start from its proxy, or untrained."""
    store = open_store(str(tmp_path / "store"))
    make_task.stored(store, size=16)
    plan = TeacherPlan(TINY, TEACH, 0, NETWORK)
    card = kd_worker.train_teacher(store.uri, "tinges", plan)
    assert kd_worker.train_teacher(store.uri, "tinges", plan) == card
    assert store.list("checkpoints") == []
    data = kd_worker.load_data(store.uri, "tinges", TINY.image_size)
    proxy = kd_worker.load_teacher(store.uri, card)
    rows = {}
    for start in ("first", "random"):
        recipe = KD.model_copy(update={"start": start})
        labels = kd_worker.make_soft_labels(store.uri, card, recipe, data, proxy)
        run = Run(teacher=card, spec=SPECS[0], recipe=recipe, seed=0)
        (rows[start],) = kd_worker.distil_shard(store.uri, [run], data, proxy, labels).rows
    assert labels.logits.tolist() != soft_labels(proxy, data.unpack(), KD).logits.tolist()
    assert [row.status for row in rows.values()] == ["ok", "ok"]
    assert [json.loads(row.recipe)["start"] for row in rows.values()] == ["first", "random"]
    assert rows["first"].curve != rows["random"].curve
    assert {row.teacher_fingerprint for row in rows.values()} == {card.fingerprint}


def test_a_large_data_set_gives_the_same_students(home, tmp_path, monkeypatch):
    """Images and soft labels lie in files instead of memory."""
    store, card, small = home
    expected = [row.curve for row in kd_worker.distil_shard(store.uri, runs(card, 9), *small).rows]
    monkeypatch.setenv(IN_MEMORY, "0")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    data = kd_worker.load_data(store.uri, "tinges", TINY.image_size)
    assert data.arrays == {}
    labels = kd_worker.make_soft_labels(store.uri, card, KD, data, small[1])
    assert labels.logits.tobytes() == small[2].logits.tobytes()
    done = kd_worker.distil_shard(store.uri, runs(card, 10), data, small[1], labels)
    again = kd_worker.distil_shard(store.uri, runs(card, 10), *small)
    assert [row.curve for row in done.rows] == [row.curve for row in again.rows]
    assert len(expected) == len(done.rows)


def test_a_task_has_a_thread_for_each_of_its_cpus():
    before = torch.get_num_threads()
    try:
        found = [
            kd_worker.threaded(torch.get_num_threads, {"num_cpus": cpus})()
            for cpus in (2, 0, 0.5, 1.9, 1)
        ]
    finally:
        torch.set_num_threads(before)
    assert found == [2, 1, 1, 1, 1]


@pytest.mark.parametrize("error", [torch.AcceleratorError, torch.OutOfMemoryError])
def test_a_gpu_that_cannot_be_used_is_no_fault_of_a_run(home, monkeypatch, error):
    store, card, shared = home

    def broken(*_):
        raise error("CUDA error: unknown error\nCompile with ...")

    monkeypatch.setattr(type(shared[1]), "to", broken)
    with pytest.raises(UserError, match=r"^the GPU cannot be used: CUDA error: unknown error$"):
        kd_worker.distil_shard(store.uri, runs(card, 7), *shared)


def test_after_a_fault_of_its_gpu_the_process_ends(home, monkeypatch):
    """So that the rest of the shard does not fail as well; the driver tries each run again."""
    store, card, shared = home

    def broken(*_args, **_options):
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def left(code):
        raise SystemExit(code)

    monkeypatch.setattr(kd_worker, "distil", broken)
    monkeypatch.setattr(kd_worker.os, "_exit", left)
    with pytest.raises(SystemExit):
        kd_worker.distil_shard(store.uri, runs(card, 8), *shared)
    assert 8 not in ledger.read(store)["seed"].to_pylist()
