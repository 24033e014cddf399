"""What a worker does, called as the plain functions they are: no Ray is started."""

import pytest
import torch

from dass_ray import ledger
from dass_ray.actors import kd_worker
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.records import Run
from dass_ray.store import open_store

from .. import make_task
from ..make import KD, TEACH, TINY

SPECS = ("4/6-8", "2/8", "3-4/8")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A store with a data set and its teacher, and the teacher's soft labels."""
    store = open_store(str(tmp_path_factory.mktemp("store")))
    make_task.stored(store)
    card = kd_worker.train_teacher(store.uri, "tinges", TeacherPlan(TINY, TEACH, 0))
    return store, card, kd_worker.make_soft_labels(store.uri, card, KD)


def runs(card, seed):
    return [Run(teacher=card, spec=spec, recipe=KD, seed=seed) for spec in SPECS]


def test_a_teacher_is_trained_once(home):
    store, card, _ = home
    before = store.list("")
    assert kd_worker.train_teacher(store.uri, "tinges", TeacherPlan(TINY, TEACH, 0)) == card
    assert store.list("") == before


def test_a_shard_is_one_part_and_leaves_no_checkpoint(home, monkeypatch):
    store, card, labels = home
    monkeypatch.setattr(kd_worker.StoreCheckpoints.__init__, "__defaults__", (0.0,))
    seen = []
    commit = ledger.commit
    monkeypatch.setattr(
        ledger, "commit", lambda *a: (seen.extend(store.list("checkpoints")), commit(*a))[1]
    )
    parts = store.list("runs")
    rows = kd_worker.distil_shard(store.uri, runs(card, 0), labels)
    assert len(store.list("runs")) == len(parts) + 1
    assert [row.spec for row in rows] == list(SPECS)
    assert len({path.split("/")[1] for path in seen}) == 3  # kept until the rows are durable
    assert store.list("checkpoints") == []
    assert not store.list("students")


def test_weights_are_kept_where_asked(home):
    store, card, labels = home
    (row, *_) = kd_worker.distil_shard(store.uri, runs(card, 1), labels, True)
    assert f"students/{row.key}.safetensors" in store.list("students")


def test_what_a_student_provokes_is_a_failed_row(home, monkeypatch):
    """Too little memory for one student, as on a small GPU; the others go on."""
    store, card, labels = home

    def small(spec, *rest, **more):
        if str(spec) == SPECS[1]:
            raise torch.OutOfMemoryError("tried to allocate 9 TiB")
        return distil(spec, *rest, **more)

    monkeypatch.setattr(kd_worker, "distil", small)
    rows = kd_worker.distil_shard(store.uri, runs(card, 2), labels)
    assert [row.status for row in rows] == ["ok", "failed", "ok"]
    assert rows[1].error == "OutOfMemoryError: tried to allocate 9 TiB"
    assert (rows[1].validation, rows[1].test) == (None, None)
    assert rows[1].key in ledger.done(store)
