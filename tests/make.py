"""Tiny spaces, recipes, stores, cards and rows for the tests of every layer. No torch."""

import numpy as np
from hypothesis import settings

from dass_ray.families.mobilenet import MobileNetBlocks
from dass_ray.recipe import KDRecipe, TeacherRecipe
from dass_ray.records import Run, RunRow, TeacherCard
from dass_ray.space import Space
from dass_ray.store.base import NotFound

few = settings(max_examples=40, deadline=None, derandomize=True)

TINY = Space(name="tiny", image_size=8, widths=(4, 8), strides=(1, 2), max_depth=2)
ODD = Space(  # a stage that narrows, a stride of 3, a first stage that shrinks the image
    name="odd", image_size=12, widths=(6, 3, 10), strides=(2, 3, 1), max_depth=3,
    multipliers=(0.2, 0.6, 1.0),
)  # fmt: skip
MOBILE = Space(
    name="mobile", image_size=8, widths=(4, 6), strides=(1, 2), max_depth=2, multipliers=(0.5, 1.0),
    family=MobileNetBlocks(expansions=(1, 3), stem=3, head=10),
)  # fmt: skip
CLASSES = ("red", "green", "blue")

TEACH = TeacherRecipe(epochs=4, batch_size=16, lr=0.1, warmup=0.1, crop_padding=1, flip=False)
KD = KDRecipe(epochs=4, batch_size=16, lr=0.05, crop_padding=1, views=2, flip=True)


def specs(space, n, seed=0):
    """Random students of a space."""
    return space.unpack(space.sample(n, np.random.default_rng(seed)))


class Memory:
    """A store in memory, for tests that would otherwise wait for a disk."""

    uri, exclusive = "memory://", True

    def __init__(self):
        self.objects = {}

    def put(self, path, data):
        assert isinstance(data, bytes)
        return self.objects.setdefault(path, data) is data

    def get(self, path):
        if path not in self.objects:
            raise NotFound(path)
        return self.objects[path]

    def exists(self, path):
        return path in self.objects

    def list(self, prefix):
        return sorted(p for p in self.objects if p.startswith(f"{prefix}/" if prefix else ""))

    def delete(self, path):
        self.objects.pop(path, None)


class Fragile(Memory):
    """A store in memory whose writer is lost before one of its puts."""

    def __init__(self, fail_at):
        super().__init__()
        self.fail_at, self.puts = fail_at, 0

    def put(self, path, data):
        self.puts += 1
        if self.puts == self.fail_at:
            raise ConnectionError("gone")
        return super().put(path, data)


def teacher_card(space=TINY, **changed):
    facts = {
        "id": "t1", "dataset": "tinges", "dataset_fingerprint": "d" * 64, "classes": CLASSES,
        "space": space, "recipe": TEACH, "seed": 0, "fingerprint": "f" * 64, "validation": 0.9,
        "test": 0.88, "near_chance": False, "curve": (0.5, 0.9), "seconds": 12.0,
        "code_version": "0.1.0",
    }  # fmt: skip
    return TeacherCard(**facts | changed)


def run(spec=None, **changed):
    facts = {"teacher": teacher_card(), "spec": str(spec or TINY.teacher), "recipe": KD, "seed": 0}
    return Run(**facts | changed)


def row(key="k", **changed):
    """The row of a finished run; its other facts are made up."""
    card = teacher_card()
    facts = {
        "key": key, "status": "ok", "error": "", "dataset": card.dataset,
        "dataset_fingerprint": card.dataset_fingerprint, "teacher": card.id,
        "teacher_fingerprint": card.fingerprint, "teacher_validation": card.validation,
        "teacher_test": card.test, "classes": len(card.classes),
        "space": TINY.model_dump_json(), "spec": str(TINY.teacher), "params": 1, "flops": 2,
        "recipe": KD.model_dump_json(), "seed": 0, "validation": 0.8, "validation_best": 0.85,
        "test": 0.75, "curve": [0.4, 0.85, 0.8], "seconds": 2.5, "device": "cpu", "host": "node",
        "started_at": 1.5, "attempt": "a", "code_version": "0.1.0",
    }  # fmt: skip
    return RunRow(**facts | changed)
