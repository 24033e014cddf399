import numpy as np
import pytest

from dass_ray.explore import evolution as module
from dass_ray.explore.archive import keys
from dass_ray.explore.emulator import Emulator, Scales
from dass_ray.explore.evolution import Evolution, emulated, unique
from dass_ray.explore.front import order
from dass_ray.limits import Limits

from ..make import TINY
from .make import COSTS, SMALL, accuracy, candidates, drawn


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    for name, value in {"GENERATIONS": 6, "PARENTS": 32, "CHILDREN": 64, "ENDINGS": 32}.items():
        monkeypatch.setattr(module, name, value)


@pytest.fixture(scope="module")
def emulator():
    some = candidates(SMALL, drawn(SMALL, 200))
    return Emulator.fit(SMALL, some.specs, some.cost, some.predicted, Scales(1.0, 8.0, 0.1))


@pytest.fixture
def evolution(emulator):
    def made(limits=None, objectives=("accuracy", "flops"), seed=0):
        rng = np.random.default_rng(seed)
        return Evolution(COSTS["small"], limits or Limits(), objectives, emulator, rng)

    return made


def half():
    """Limits that about a half of random students meet."""
    return Limits(params=int(np.median(COSTS["small"](drawn(SMALL, 200)).params)))


def assert_in(space, specs):
    for spec in space.unpack(specs):
        space.check(spec)


def test_an_emulator_knows_one_accuracy():
    names = ("accuracy_lower", "flops", "accuracy_upper", "accuracy")
    assert emulated(names) == ["accuracy", "flops", "accuracy", "accuracy"]


def test_each_student_once_where_it_first_came():
    specs = drawn(TINY, 6)[[3, 1, 3, 0, 1, 5]]
    assert np.array_equal(unique(specs), specs[[0, 1, 3, 5]])


def test_priced_by_emulator_and_widths(evolution, emulator):
    specs = drawn(SMALL, 7)
    found = evolution().priced(specs)
    costs = COSTS["small"](specs)
    assert found.predicted == pytest.approx(emulator.predict(specs, costs))
    assert found.cost.flops.tolist() == costs.flops.tolist()
    assert len(evolution().priced(specs[:0])) == 0


@pytest.mark.parametrize("objectives", [("accuracy",), ("accuracy", "flops", "params")])
def test_pool_is_of_different_students_within_the_limits(evolution, objectives):
    limits, parents = half(), drawn(SMALL, 32)
    pool = evolution(limits, objectives).pool(parents)
    assert_in(SMALL, pool.specs)
    assert limits.met(pool.cost).all()
    assert len(set(keys(pool.specs))) == len(pool) > 100
    within = parents[limits.met(COSTS["small"](parents))]
    assert set(keys(within)) <= set(keys(pool.specs))


@pytest.mark.parametrize("share", [2, 100])
def test_parents_are_different_ones(evolution, monkeypatch, share):
    """Copies of the best would take over: most of the parents, after a few generations."""
    parents, children = [], Evolution._children

    def looking(search, specs):
        parents.append(specs)
        return children(search, specs)

    monkeypatch.setattr(Evolution, "_children", looking)
    params = COSTS["small"](drawn(SMALL, 400)).params
    evolution(Limits(params=int(np.percentile(params, share)))).pool(drawn(SMALL, 64))
    assert [len(unique(specs)) for specs in parents] == [len(specs) for specs in parents]
    assert len(parents[-1]) == 32


def test_evolution_finds_better_ones_than_its_parents(evolution, emulator):
    parents = drawn(SMALL, 32)
    pool = evolution(objectives=("accuracy",)).pool(parents)
    before = emulator.predict(parents, COSTS["small"](parents)).max()
    drawn_too = drawn(SMALL, len(pool), seed=5)
    by_luck = emulator.predict(drawn_too, COSTS["small"](drawn_too)).max()
    assert pool.predicted.max() > before + 0.02
    assert pool.predicted.max() > by_luck
    assert accuracy(SMALL, pool.specs).max() > accuracy(SMALL, parents).max()


def test_parents_outside_the_limits_are_a_start_too(evolution):
    large = SMALL.pack([SMALL.teacher] * 3)
    pool = evolution(half()).pool(large)
    assert half().met(pool.cost).all()


def test_limits_that_nothing_meets_leave_an_empty_pool(evolution):
    pool = evolution(Limits(params=1)).pool(drawn(SMALL, 8))
    assert len(pool) == 0
    assert len(evolution().best(pool, 4)) == 0


def test_products_are_of_few_beginnings(evolution):
    """Half of three stages is one: the first."""
    search, limits = evolution(half()), half()
    pool = search.pool(drawn(SMALL, 32))
    found = search.products(pool, 3)
    assert_in(SMALL, found.specs)
    assert limits.met(found.cost).all()
    assert len(set(keys(found.specs))) == len(found)
    heads = unique(found.specs[:, :1])
    assert len(heads) <= 3 < len(found) / 4
    best = pool.specs[order(pool.minimised(("accuracy", "flops")), np.zeros(len(pool)), len(pool))]
    assert set(keys(heads)) <= set(keys(unique(best[:, :1])[:3]))


def test_the_best_are_those_that_may_be(evolution, emulator):
    search = evolution(objectives=("accuracy",))
    some = search.priced(drawn(SMALL, 300))
    found = search.best(some, 5)
    assert len(found) == 5
    hoped = np.argsort(-some.predicted, kind="stable")[: module.HOPED_FOR * 5]
    bright = emulator.optimistic(some.specs[hoped], some.cost.at(hoped))
    expected = some.specs[hoped][np.argsort(-bright, kind="stable")[:5]]
    assert np.array_equal(found.specs, expected)


def test_the_seed_decides(evolution):
    first, again, other = (evolution(seed=s).pool(drawn(SMALL, 8)).specs for s in (1, 1, 2))
    assert np.array_equal(first, again)
    assert set(keys(first)) != set(keys(other))
