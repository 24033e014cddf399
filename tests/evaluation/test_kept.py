from dataclasses import replace

import numpy as np
import pytest

from dass_ray.evaluation.kept import kept
from dass_ray.evaluation.material import Material
from dass_ray.predictor.tasks import task_ledgers

from ..make import TINY


@pytest.fixture
def material(store):
    return Material(store, task_ledgers(store, ["a"], TINY)[0], TINY, 10)


def scored(value):
    return np.full((6, 2), value), np.full(2, value + 1)


def refuse():
    raise AssertionError("computed again")


def test_are_computed_once(material, tmp_path):
    first = kept(tmp_path, material, lambda: scored(3.0))
    again = kept(tmp_path, material, refuse)
    for ours, theirs in zip(first, again, strict=True):
        assert np.array_equal(ours, theirs)
    assert [path.suffixes for path in tmp_path.iterdir()] == [[".npz"]]


@pytest.mark.parametrize("what", ["images", "students", "teacher"])
def test_other_material_has_its_own(material, tmp_path, what):
    kept(tmp_path, material, lambda: scored(3.0))
    task = material.task
    other = {
        "images": replace(material, images=11),
        "students": replace(material, task=replace(task, specs=task.specs[::-1])),
        "teacher": replace(
            material,
            task=replace(task, card=task.card.model_copy(update={"fingerprint": "e" * 64})),
        ),
    }[what]
    found, _ = kept(tmp_path, other, lambda: scored(4.0))
    assert found[0, 0] == 4


def test_a_write_that_was_cut_off_is_made_again(material, tmp_path, monkeypatch):
    def full(*_):
        raise OSError("disk full")

    with monkeypatch.context() as patch:
        patch.setattr("os.replace", full)
        with pytest.raises(OSError, match="full"):
            kept(tmp_path, material, lambda: scored(3.0))
    found, _ = kept(tmp_path, material, lambda: scored(4.0))
    assert found[0, 0] == 4
