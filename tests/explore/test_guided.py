import itertools

import numpy as np
import pytest

from dass_ray.explore import evolution, guided
from dass_ray.explore.archive import Archive, joined, keys
from dass_ray.explore.front import is_front
from dass_ray.explore.guided import ALIKE, FEWEST, FREE, Guided
from dass_ray.explore.variables import Stages
from dass_ray.limits import Costs, Limits, sample_within
from dass_ray.space import MICRO, Space

from ..make import CLASSES, TINY
from ..make_latency import latency_table
from .make import COSTS, SMALL, candidates, drawn

SMALLER = {"GENERATIONS": 6, "PARENTS": 48, "CHILDREN": 128, "ENDINGS": 64}


@pytest.fixture(autouse=True)
def _small(monkeypatch):
    for name, value in SMALLER.items():
        monkeypatch.setattr(evolution, name, value)
    monkeypatch.setattr(guided, "LEARNED", 128)
    monkeypatch.setattr(guided, "TUNED_ON", 48)


def sampler(space=SMALL, batch=32, seed=0, limits=None, objectives=("accuracy",), costs=None):
    return Guided(
        Stages(space), costs or COSTS[space.name], limits or Limits(), objectives, Archive(),
        batch, seed,
    )  # fmt: skip


def start(found, n=32, seed=0):
    """Gives a sampler the random students within the limits that a search begins with."""
    rng = np.random.default_rng(seed)
    specs = found.costs.space.pack(sample_within(found.costs, found.limits, n, rng))
    return tell(found, specs)


def tell(found, specs):
    some = candidates(found.costs.space, specs, found.costs.table)
    found.archive.ask(specs)
    found.archive.add(some)
    return some


def run(found, batches, n=32):
    start(found, n)
    return [tell(found, found.propose(n)) for _ in range(batches)]


def half(space, share=50):
    costs = COSTS[space.name](drawn(space, 400))
    return Limits(
        params=int(np.percentile(costs.params, share)),
        flops=int(np.percentile(costs.flops, share)),
    )  # fmt: skip


OBJECTIVES = [
    ("accuracy",), ("accuracy", "flops"), ("params", "accuracy_lower", "flops"),
    ("accuracy_upper",),
]  # fmt: skip


@pytest.mark.parametrize("objectives", OBJECTIVES, ids="-".join)
def test_every_proposal_is_new_and_within_the_limits(objectives):
    found = sampler(objectives=objectives, limits=half(SMALL))
    asked = set(keys(start(found).specs))
    for _ in range(3):
        specs = found.propose(32)
        assert specs.shape == (32, 3, 4)
        assert specs.dtype == np.int16
        for spec in SMALL.unpack(specs):
            SMALL.check(spec)
        assert found.limits.met(found.costs(specs)).all()
        assert len(set(keys(specs))) == 32
        assert not asked & set(keys(specs))
        asked |= set(keys(specs))
        tell(found, specs)


def test_limits_that_few_students_meet():
    """184 of 500 million: most of them are found."""
    found = sampler(limits=half(SMALL, 2))
    seen = set(keys(start(found).specs))
    for _ in range(4):
        specs = found.propose(32)
        assert found.limits.met(found.costs(specs)).all()
        assert len(set(keys(specs)) - seen) == 32
        seen |= set(keys(specs))
        tell(found, specs)


def test_a_limit_on_latency():
    costs = Costs(TINY, len(CLASSES), latency_table())
    middle = float(np.median(costs(drawn(TINY, 200)).latency))
    found = sampler(
        TINY, 6, limits=Limits(latency=middle), objectives=("accuracy", "latency"), costs=costs
    )
    start(found, 18)
    specs = found.propose(6)
    assert (costs(specs).latency <= middle).all()


def test_what_is_being_scored_is_not_asked_for_again():
    """Several batches are in flight: asked for, and not told yet."""
    found = sampler()
    start(found)
    waiting = [found.propose(32)]
    found.archive.ask(waiting[0])
    waiting.append(found.propose(32))
    assert not set(keys(waiting[0])) & set(keys(waiting[1]))


def everything(space):
    high = [d.high + 1 for d in Stages(space).distributions.values()]
    rows = itertools.product(*map(range, high))
    names = list(Stages(space).distributions)
    return Stages(space).specs([dict(zip(names, row, strict=True)) for row in rows])


def test_a_space_is_used_up_before_a_student_comes_again():
    """All 72 students of TINY: 16, then 7 batches of 8; and then it still answers."""
    found = sampler(TINY, batch=8)
    seen = set(keys(start(found, 16).specs))
    for _ in range(7):
        specs = found.propose(8)
        assert len(set(keys(specs)) - seen) == 8
        seen |= set(keys(specs))
        tell(found, specs)
    assert seen == set(keys(everything(TINY)))
    assert len(found.propose(8)) == 8


def test_the_last_unseen_students_come_before_repeated_ones():
    found, whole = sampler(TINY, batch=8), everything(TINY)
    tell(found, whole[3:])
    specs = found.propose(8)
    assert set(keys(whole[:3])) <= set(keys(specs))
    assert len(specs) == 8


def test_an_exhausted_space_still_answers():
    found, whole = sampler(TINY, batch=8), everything(TINY)
    assert len(whole) == 72
    tell(found, whole)
    for n in (1, 8, 100):
        specs = found.propose(n)
        assert len(specs) == n
        assert set(keys(specs)) <= set(keys(whole))


def test_an_exhausted_corner_still_answers():
    least = COSTS["tiny"](TINY.pack([TINY.smallest])).params[0]
    found = sampler(TINY, limits=Limits(params=int(least)))
    specs = found.propose(5)
    assert TINY.unpack(specs) == [TINY.smallest] * 5
    tell(found, TINY.pack([TINY.smallest]))
    assert TINY.unpack(found.propose(3)) == [TINY.smallest] * 3


@pytest.mark.parametrize("known", [0, 1, FEWEST - 1, FEWEST])
@pytest.mark.parametrize("objectives", OBJECTIVES[:3], ids="-".join)
def test_few_candidates_are_enough(known, objectives):
    found = sampler(limits=half(SMALL), objectives=objectives)
    if known:
        start(found, known)
    specs = found.propose(20)
    assert len(set(keys(specs))) == 20
    assert not set(keys(specs)) & found.archive.asked
    assert found.limits.met(found.costs(specs)).all()


def test_candidates_outside_the_limits_are_learned_from_but_not_proposed():
    """As after a start from batches of another sampler."""
    found = sampler(limits=half(SMALL, 10))
    large = drawn(SMALL, 60)
    tell(found, large[~found.limits.met(found.costs(large))])
    specs = found.propose(16)
    assert found.limits.met(found.costs(specs)).all()


def test_the_seed_decides():
    def proposed(seed):
        return [keys(some.specs) for some in run(sampler(seed=seed), 2)]

    first, again, other = proposed(1), proposed(1), proposed(2)
    assert first == again
    assert all(a != b for a, b in zip(first, other, strict=True))


def test_most_of_a_batch_shares_its_beginnings():
    """The first two of four stages, the costly ones: ALIKE students for each."""
    found = sampler(MICRO, batch=64)
    start(found, 64)
    specs = found.propose(64)
    _, counts = np.unique(specs[:, :2], axis=0, return_counts=True)
    largest = np.sort(counts)[::-1][: 64 // ALIKE].sum()
    assert largest >= 0.6 * 64
    assert largest <= (1 - FREE) * 64 + 64 // ALIKE * 2  # some begin anywhere
    _, by_luck = np.unique(drawn(MICRO, 64)[:, :2], axis=0, return_counts=True)
    assert by_luck.max() <= 2


def best(parts):
    return joined(parts).predicted.max()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_finds_better_students_than_as_many_random_ones(seed):
    found = sampler(MICRO, batch=32, seed=seed)
    guided_best = best([start(found, 32, seed), *run(found, 5)])
    n = len(found.archive)
    by_luck = candidates(MICRO, drawn(MICRO, 4 * n, seed)).predicted
    assert guided_best > by_luck.max() + 0.05  # four times as many


@pytest.mark.parametrize("seed", [1, 2])
def test_finds_a_better_front_than_as_many_random_ones(seed):
    objectives = ("accuracy", "flops")
    found = sampler(MICRO, batch=32, seed=seed, objectives=objectives)
    start(found, 32, seed)
    run(found, 5)
    ours = found.archive.all
    luck = candidates(MICRO, drawn(MICRO, len(ours), seed + 10))
    both = joined([ours, luck])
    kept = is_front(both.minimised(objectives))
    assert kept[: len(ours)].sum() > 4 * kept[len(ours) :].sum()


def test_a_replayed_archive_equals_a_live_one():
    """The same students in other parts are the same knowledge."""
    live, again = sampler(seed=3), sampler(seed=3)
    start(live)
    run(live, 2)
    whole = live.archive.all
    live.elite, live.ranked, live.scales, live.tuned_at = None, 0, None, 0
    for part in np.array_split(np.arange(len(whole)), 5):
        again.archive.add(whole.at(part))
    live.rng, again.rng = np.random.default_rng(7), np.random.default_rng(7)
    again.archive.asked = set(live.archive.asked)
    again.archive.parts, live.archive.parts = [again.archive.all], [live.archive.all]
    assert np.array_equal(live.propose(24), again.propose(24))


def test_the_elite_is_that_of_all_that_is_known():
    """Though only what is new is ranked among them."""
    found = sampler(objectives=("accuracy", "flops"), limits=half(SMALL, 70))
    for seed in range(4):
        tell(found, drawn(SMALL, 80, seed))
        found._elite()
    fresh = sampler(objectives=("accuracy", "flops"), limits=half(SMALL, 70))
    fresh.archive = found.archive
    kept, expected = found._elite(), fresh._elite()
    front = ("accuracy", "flops")
    assert len(kept) == len(expected) == 64
    first = [
        some.specs[is_front(some.minimised(front)) & found.limits.met(some.cost)]
        for some in (kept, expected)
    ]
    assert set(keys(first[0])) == set(keys(first[1]))


def test_the_emulator_learns_from_the_best_and_from_some_others(monkeypatch):
    learned, fit = [], guided.Emulator.fit
    monkeypatch.setattr(guided.Emulator, "fit", lambda *args: learned.append(args[1]) or fit(*args))
    found = sampler()
    known = tell(found, np.unique(drawn(SMALL, 500), axis=0))
    found.propose(8)
    (specs,) = learned
    assert 96 < len(specs) == len(set(keys(specs))) <= 128
    best = known.specs[np.argsort(-known.predicted)]
    assert set(keys(best[:64])) <= set(keys(specs))
    worse_half = set(keys(best[len(best) // 2 :]))
    assert len(worse_half & set(keys(specs))) > 16


def test_the_scales_are_fitted_when_twice_as_much_is_known(monkeypatch):
    calls, tuned = [], guided.tuned
    monkeypatch.setattr(guided, "tuned", lambda *args: calls.append(len(args[1])) or tuned(*args))
    found = sampler()
    start(found, 20)
    known = []
    for _ in range(5):
        tell(found, found.propose(20))
        known.append(len(calls))
    assert known == [1, 2, 2, 3, 3]  # at 20, 40 and 80
    assert calls == [20, 40, 48]


def test_proposals_go_to_optuna_one_by_one():
    found = sampler(batch=8)
    names = found.infer_relative_search_space(None, None)
    assert names == Stages(SMALL).distributions
    rows = [found.sample_relative(None, None, names) for _ in range(8)]
    assert not found.queue
    specs = Stages(SMALL).specs(rows)
    assert np.array_equal(specs, sampler(batch=8).propose(8))
    found.sample_relative(None, None, names)
    assert len(found.queue) == 7
    with pytest.raises(AssertionError):
        found.sample_independent(None, None, "s9", None)


def test_a_space_of_one_stage():
    space = Space(name="plain", image_size=8, widths=(16,), strides=(1,), max_depth=5)
    found = sampler(space, costs=Costs(space, 3))
    start(found, 32)
    specs = found.propose(32)
    assert len(set(keys(specs))) == 32
