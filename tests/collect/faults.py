"""What goes wrong on purpose inside workers: functions that Ray tasks run in the place of ours.

Workers import this module, so faults are chosen by what they can see: the run, and marks on disk.
"""

import os
import random
import signal
import time
from functools import partial

import pytest
import ray
import torch

from dass_ray.actors import kd_worker
from dass_ray.kd.views import SoftLabels
from dass_ray.store import disk, local

from ..make import KD, TEACH, TINY

PLAN = {
    "datasets": ("bars", "dots"), "space": TINY, "teacher": TEACH, "kd": KD, "students": 9,
    "common": 0.5, "seed": 3, "max_failed": 1.0,
}  # fmt: skip
NAN, MEMORY, EXIT, ENDLESS = 1, 3, 5, 7  # places of poison students in each task's list
HUNGRY = 8  # takes memory without end; see hungry.py
POISON = (NAN, MEMORY, EXIT, ENDLESS)


def poisoned(places, only=None):
    """`distil_shard` in which some students misbehave, by their spec; only those of a data set."""

    def shard(uri, runs, data, teacher, labels, how):
        if only and data.card.name != only:
            return _distil_shard(uri, runs, data, teacher, labels, how)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kd_worker, "distil", lambda *a, **more: _fault(places, *a, **more))
            return _distil_shard(uri, runs, data, teacher, labels, how)

    return shard


_distil_shard = kd_worker.distil_shard  # before a test's driver replaces it
_distil = kd_worker.distil
_load_teacher = kd_worker.load_teacher
_train_teacher = kd_worker.train_teacher
_make_soft_labels = kd_worker.make_soft_labels


def _fault(places, spec, teacher, labels, *rest, **more):
    kind = places.get(str(spec))
    if kind == MEMORY:
        raise MemoryError("no room for this student")
    if kind == EXIT:
        os._exit(1)
    while kind == ENDLESS:
        time.sleep(0.01)
    if kind == HUNGRY:
        taken = []
        while True:
            taken.append(b"1" * 2**27)
    if kind == NAN:
        labels = SoftLabels(torch.full_like(labels.logits, torch.nan))
    return _distil(spec, teacher, labels, *rest, **more)


def once(folder, name):
    """Whether this is the first call with the name, in any process."""
    try:
        os.close(os.open(f"{folder}/{name}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def no_dots(uri, name, *rest):
    """A teacher's training that fails for one data set."""
    if name == "dots":
        raise ValueError("no teacher for dots")
    return _train_teacher(uri, name, *rest)


def damaged_dots(uri, card):
    """A teacher that cannot be loaded."""
    if card.dataset == "dots":
        raise ValueError("its weights are damaged")
    return _load_teacher(uri, card)


def dying_labels(folder):
    """Soft labels whose first worker dies."""

    def make(*args):
        if once(folder, "labels"):
            os._exit(1)
        return _make_soft_labels(*args)

    return make


def full_disk(nodes):
    """`distil_shard` for which the store's disk is full on some nodes: its writes meet ENOSPC."""

    def shard(*args):
        if ray.get_runtime_context().get_node_id() not in nodes:
            return _distil_shard(*args)
        with pytest.MonkeyPatch.context() as patch:
            full = partial(open, "/dev/full", "wb")
            patch.setattr(disk, "open", lambda *_: full(), raising=False)
            return _distil_shard(*args)

    return shard


DAY_S = 24 * 3600


def skewed(uri, runs, *rest):
    """`distil_shard` in a process whose clock is days ahead or behind, or goes that far back."""
    clock, days = time.time, [-3, -1, 2, 5]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: clock() + DAY_S * random.choice(days))
        return _distil_shard(uri, runs, *rest)


def deadly(folder, session):
    """`distil_shard` whose process is killed at a place that session and run decide.

    Each run brings death once a session at most: before its shard is distilled, between the runs,
    with the part half committed, or with the part in the store and the driver not told.
    """

    def shard(uri, runs, data, teacher, labels, how):
        place = (int(runs[0].key[:4], 16) + session) % 8
        if place > 3 or not once(folder, f"{session}-{runs[0].key}"):
            return _distil_shard(uri, runs, data, teacher, labels, how)
        if place == 0:
            _die()
        with pytest.MonkeyPatch.context() as patch:
            if place == 1:
                patch.setattr(kd_worker, "row", lambda *args: _die())
            if place == 2:
                patch.setattr(local, "link", lambda *args: _die())
            rows = _distil_shard(uri, runs, data, teacher, labels, how)
        if place == 3:
            _die()
        return rows

    return shard


def _die():
    os.kill(os.getpid(), signal.SIGKILL)
