import numpy as np
import pytest

from dass_ray import searches
from dass_ray.explore.archive import Candidates
from dass_ray.explore.tables import to_table
from dass_ray.limits import Costs, Limits
from dass_ray.report.gather import gather
from dass_ray.store import open_store

from . import make

ROLES = ("top", "top", "top", "random", "random", "random")
PREDICTED = (0.86, 0.85, 0.84, 0.80, 0.79, 0.82)
VALIDATION = (0.84, 0.86, 0.83, 0.81, 0.78, 0.80)
TEST = (0.83, 0.85, 0.84, 0.79, 0.80, 0.78)


@pytest.fixture
def store(tmp_path):
    return open_store(str(tmp_path / "store"))


@pytest.fixture
def report(store):
    """A finished search of 40 candidates with 3 top and 3 random students, one seed each."""
    card = make.card(store, candidates=40, batch=16, limits=Limits(params=150_000))
    rng = np.random.default_rng(1)
    specs = card.teacher.space.unpack(card.teacher.space.sample(40, rng))
    predicted = rng.uniform(0.7, 0.85, 40)
    for number, first in enumerate(range(0, 40, 16)):
        rows = slice(first, first + 16)
        batch = make.scored(card, specs[rows], predicted[rows])
        searches.write_batch(store, make.ID, number, batch)
    choices = make.choose(store, card, ROLES, PREDICTED)
    for choice, validation, test in zip(choices, VALIDATION, TEST, strict=True):
        make.distil(store, card, choice, validation=validation, test=test)
    make.finish(store)
    return gather(store, make.ID)


@pytest.fixture
def two_teachers(store):
    """A search of 2 candidates by two teachers; the best student is from the second one, t2."""
    card = make.card(store, several=True)
    specs = [card.teacher.space.teacher, card.teacher.space.smallest]
    values = np.array([[[0.9, 0.1], [0.7, 0.2]], [[0.6, 0.1], [0.8, 0.2]]])
    packed = card.teacher.space.pack(specs)
    some = Candidates.scored(packed, values, Costs(card.teacher.space, len(make.CLASSES))(packed))
    searches.write_batch(store, make.ID, 0, to_table(card.teacher.space, some, Limits(), 1))
    chosen = make.choose(
        store, card, ("top", "top", "random"), (0.9, 0.8, 0.7), teachers=("t1", "t2", "t1")
    )
    for choice, test in zip(chosen, (0.7, 0.8, 0.6), strict=True):
        make.distil(store, card, choice, validation=test + 0.05, test=test)
    make.finish(store)
    return gather(store, make.ID)
