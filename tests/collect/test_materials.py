"""Which references are kept; no Ray is started, since making them is not what is tested."""

import pytest

from dass_ray.actors.nodes import Nodes
from dass_ray.actors.pool import Later
from dass_ray.collect import materials
from dass_ray.collect.materials import Materials
from dass_ray.cost import cost
from dass_ray.data.card import DatasetCard

from ..make import CLASSES, KD, TINY, Memory, run, teacher_card

COUNTS = {"train": 66, "validation": 30, "test": 24}
DATA = 120 * (3 * 8 * 8 + 8)
LABELS = 2 * 2 * 66 * 3
TEACHER = 4 * int(cost(TINY, TINY.pack([TINY.teacher]), 3).params[0])
TASK = DATA + LABELS + TEACHER


@pytest.fixture
def made(monkeypatch):
    """Names of what was made, in order; a reference is its own number."""
    names = []

    def remote(function, demand, nodes):
        def submit(*args):
            names.append(function.__name__)
            return len(names)

        return submit

    monkeypatch.setattr(materials.kd_worker, "remote", remote)
    return names


def kept(limit):
    store = Memory()
    for name in ("tinges", "hues"):
        card = DatasetCard(
            name=name, fingerprint="0" * 64, classes=CLASSES, image_size=8, counts=COUNTS,
            parts={}, source="",
        )  # fmt: skip
        store.put(f"datasets/{name}/card.json", card.model_dump_json().encode())
    return Materials(store, {"num_cpus": 1}, limit, Nodes())


ONE = run()
SAME_DATA = run(teacher=teacher_card(id="t2"))
OTHER_RECIPE = run(recipe=KD.model_copy(update={"views": 1}))
OTHER_DATA = run(teacher=teacher_card(id="t3", dataset="hues"))


def test_a_task_is_made_once(made):
    held = kept(1e9)
    assert held.acquire(ONE) == held.acquire(ONE) == (1, 2, 3)
    assert made == ["load_data", "load_teacher", "make_soft_labels"]


def test_what_tasks_share_is_made_once(made):
    held = kept(1e9)
    held.acquire(ONE)
    assert held.acquire(SAME_DATA) == (1, 4, 5)
    assert held.acquire(OTHER_RECIPE) == (1, 2, 6)
    assert held.acquire(OTHER_DATA) == (7, 8, 9)


def test_sizes(made):
    held = kept(1e9)
    held.acquire(ONE)
    assert [one.size for one in held.held.values()] == [DATA, TEACHER, LABELS]
    assert held.images("tinges") == 66


def test_the_longest_unused_is_let_go(made):
    held = kept(2.5 * TASK)
    for one in (ONE, OTHER_DATA, ONE):
        held.acquire(one)
        held.release(one)
    assert made.count("load_data") == 2  # both fit
    small = kept(1.5 * TASK)
    for one in (ONE, OTHER_DATA, ONE):
        small.acquire(one)
        small.release(one)
    assert made.count("load_data") == 2 + 3


def test_what_does_not_fit_has_to_wait(made):
    held = kept(1.5 * TASK)
    held.acquire(ONE)
    for _ in range(2):
        with pytest.raises(Later):
            held.acquire(OTHER_DATA)
    assert held.acquire(ONE) == (1, 2, 3)
    held.release(ONE)
    with pytest.raises(Later):
        held.acquire(OTHER_DATA)  # it was asked for twice
    held.release(ONE)
    assert held.acquire(OTHER_DATA) == (4, 5, 6)


def test_what_never_fits_is_alone(made):
    held = kept(1.0)
    assert held.acquire(ONE) == (1, 2, 3)
    with pytest.raises(Later):
        held.acquire(OTHER_DATA)


def test_what_is_lost_is_made_again(made):
    held = kept(1e9)
    held.acquire(ONE)
    held.acquire(ONE)
    assert held.lost(ONE) == 1
    held.release(ONE)
    assert held.acquire(ONE) == (4, 5, 6)
    held.release(ONE)
    held.release(ONE)
    assert held.lost(ONE) == 2
