"""The loop of choosing, distilling and learning, with made-up scorers and distillations; no Ray."""

from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from dass_ray import cost as cost_module
from dass_ray import ledger, rounds, searches
from dass_ray.config import SearchConfig
from dass_ray.cost import Limits, cost
from dass_ray.errors import UserError
from dass_ray.predictor.scorer import Scored
from dass_ray.searches import SearchCard
from dass_ray.space import Spec

from .make import CLASSES, KD, TINY, Fragile, Memory, row, specs, teacher_card

LIMITS = Limits(params=2500)
POOL = list(dict.fromkeys(specs(TINY, 30)))  # candidates, some beyond the limits
BATCH = 8


@pytest.fixture(autouse=True)
def _no_ray(monkeypatch):
    monkeypatch.setattr(cost_module, "_WALKS", 200)
    monkeypatch.setattr(rounds.ray, "get", lambda ref: ref)


def params(spec):
    return int(cost(TINY, TINY.pack([spec]), len(CLASSES)).params[0])


def truth(spec):
    """What a student reaches: the smaller the better, against all that is believed of students."""
    return 0.9 - params(spec) / 10_000


def scored(packed, support=()):
    """Larger students are better, unless at least two verified ones say otherwise."""
    costs = cost(TINY, packed, len(CLASSES))
    line = [1e-4, 0.5]
    if len(support) > 1:
        line = np.polyfit([params(spec) for spec, _ in support], [a for _, a in support], 1)
    return Scored(
        np.polyval(line, costs.params), np.full(len(packed), 0.01), costs.params, costs.flops
    )


class World:
    """A search whose candidates are scored, and what happens outside of its loop."""

    def __init__(self, store=None, scorers=2, bad=(), pool=POOL, **verify):
        self.store = store or Memory()
        config = SearchConfig(
            dataset="tinges", space=TINY, kd=KD, limits=LIMITS, batch=BATCH,
            verify={"top": 5, "random": 2, **verify},
        )  # fmt: skip
        self.card = SearchCard(
            id="mine", config=config, teacher=teacher_card(), predictor="p", started_at=0.0,
            code_version="0.1.0",
        )  # fmt: skip
        self.scorers, self.bad = scorers, bad
        self.open, self.asked, self.distilled, self.told = False, [], [], []
        for number, first in enumerate(range(0, len(pool), BATCH)):
            self.batch(number, pool[first : first + BATCH])

    def batch(self, number, some):
        columns = scored(TINY.pack(some))
        searches.write_batch(self.store, "mine", number, {
            "spec": [str(spec) for spec in some], **vars(columns),
            "feasible": columns.params <= LIMITS.params,
        })  # fmt: skip

    @contextmanager
    def started(self, *_):
        def score(packed, support=()):
            assert self.open
            self.asked.append((TINY.unpack(packed), support))
            return scored(packed, support)

        self.open = True
        yield [SimpleNamespace(score=SimpleNamespace(remote=score))] * self.scorers
        self.open = False

    def distil_all(self, config, runs, watcher, *, shard, keep_weights):
        assert not self.open  # a scorer would keep the CPU
        assert (shard, keep_weights) == (1, True)
        watcher.phase("distilling students", len(runs))
        done = ledger.done(self.store)
        for run in (run for run in runs if run.key not in done):
            self.distilled.append(run.key)
            bad = {"status": "diverged", "validation": None} if run.spec in self.bad else {}
            facts = {"validation": truth(Spec.parse(run.spec)) + run.seed / 100} | bad
            ledger.commit(self.store, [row(run.key, spec=run.spec, **facts)])

    def phase(self, name, total):
        self.told.append((name, total))

    def step(self, done, note):
        self.told.append((done, note))

    def run(self):
        """The part of a search that comes after its candidates are scored."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rounds.scorer, "started", self.started)
            patch.setattr(rounds, "distil_all", self.distil_all)
            with self.started() as scorers:
                rounds.first(self.store, self.card, scorers)
            rounds.verify_all(self.store, self.card.config, self.card, self)
        return self

    @property
    def chosen(self):
        return searches.choices(self.store, "mine")

    def top(self, number):
        """The top students of a round."""
        found = [c for c in self.chosen if (c.role, c.round) == ("top", number)]
        return [Spec.parse(choice.spec) for choice in found]


def within(pool=POOL):
    return [spec for spec in pool if params(spec) <= LIMITS.params]


def largest(pool, n):
    return sorted(pool, key=lambda spec: (-params(spec), str(spec)))[:n]


def test_the_made_up_search_has_enough_candidates():
    assert len(POOL) > len(within()) > 12
    assert not all(a == b for a, b in zip(largest(within(), 3), largest(POOL, 3), strict=True))


def test_one_round_distils_the_best_predicted_and_random_ones():
    world = World(rounds=1).run()
    assert world.store.list("searches/mine/rounds") == ["searches/mine/rounds/000001.json"]
    assert [choice.role for choice in world.chosen] == ["top"] * 5 + ["random"] * 2
    assert world.top(1) == largest(within(), 5)
    assert [support for _, support in world.asked] == [()]  # the scorers are not started again
    assert world.told == [("distilling students", 7)]
    assert world.distilled == [key for choice in world.chosen for key in choice.keys]


def test_rounds_share_the_top_students_and_never_repeat_one():
    world = World(rounds=3).run()
    assert [(c.role, c.round) for c in world.chosen] == [
        *[("top", 1)] * 2, *[("random", 1)] * 2, *[("top", 2)] * 2, ("top", 3),
    ]  # fmt: skip
    assert len({choice.spec for choice in world.chosen}) == 7
    assert all(choice.params <= LIMITS.params for choice in world.chosen)
    assert len(world.distilled) == len(set(world.distilled)) == 7


def test_later_rounds_are_chosen_by_what_was_learned():
    world = World(rounds=2).run()
    assert world.top(1) == largest(within(), 3)
    left = set(within()) - {Spec.parse(c.spec) for c in world.chosen if c.round == 1}
    assert world.top(2) == sorted(left, key=params)[:2]


def test_every_candidate_within_the_limits_is_scored_once_more():
    world = World(rounds=2, pool=[*POOL, *POOL[:9]]).run()
    asked = world.asked[1:]  # the first are the chosen ones of round 1
    known = {Spec.parse(choice.spec) for choice in world.chosen if choice.round == 1}
    assert all(0 < len(some) <= BATCH for some, _ in asked)
    again = [spec for some, _ in asked for spec in some]
    assert sorted(again, key=str) == sorted(set(within()) - known, key=str)


def test_the_support_is_every_verified_student_so_far():
    world = World(rounds=3, seeds=(0, 4)).run()
    supports = list(dict.fromkeys(support for _, support in world.asked))
    assert [len(support) for support in supports] == [0, 4, 6]
    for number, support in enumerate(supports):
        assert [spec for spec, _ in support] == [
            Spec.parse(choice.spec) for choice in world.chosen if choice.round <= number
        ]
        for spec, reached in support:
            assert reached == pytest.approx(truth(spec) + 0.02)  # mean over both seeds


def test_diverged_runs_join_no_support():
    first = World(rounds=1).run()
    bad = [first.chosen[0].spec, first.chosen[-1].spec]  # a top student and a random one
    world = World(rounds=2, bad=bad).run()
    assert {str(spec) for spec, _ in world.asked[-1][1]} == {
        choice.spec for choice in world.chosen if choice.round == 1
    } - set(bad)
    assert not {str(spec) for spec in world.top(2)} & set(bad)  # which are not tried again


def test_a_student_keeps_the_prediction_that_chose_it():
    world = World(rounds=2).run()
    support = world.asked[-1][1]
    for choice in world.chosen:
        known = support if choice.round == 2 else ()
        expected = scored(TINY.pack([Spec.parse(choice.spec)]), known)
        assert choice.predicted == pytest.approx(expected.predicted[0])
        assert (choice.params, choice.flops) == (expected.params[0], expected.flops[0])
        assert choice.keys == tuple(run.key for run in rounds.verify.runs(world.card, choice.spec))


def objects(world):
    """What the store holds, without the facts that a clock or chance decides."""
    return {path: data for path, data in world.store.objects.items() if "/rounds/" in path}


PUTS = 3 + 7 + -(-len(POOL) // BATCH)  # of a search in three rounds: rounds, runs, batches


@pytest.mark.parametrize("lost_at", range(1 + -(-len(POOL) // BATCH), PUTS + 1))
def test_a_search_that_was_killed_goes_on_to_the_same_students(lost_at):
    whole = World(rounds=3).run()
    world = World(Fragile(lost_at), rounds=3)
    with pytest.raises(ConnectionError):
        world.run()
    before = dict(world.store.objects)
    lost, world.asked, world.told, world.open = world.distilled[-1:], [], [], False
    world.run()
    assert objects(world) == objects(whole)
    assert {path: world.store.objects[path] for path in before} == before
    kept = [key for key in world.distilled if key not in lost]
    assert sorted({*kept, *lost}) == sorted(whole.distilled)
    assert len(kept) == len(set(kept))  # only what was lost is distilled again


def test_a_finished_search_starts_no_scorers_and_distils_nothing():
    world = World(rounds=3).run()
    world.asked, world.distilled = [], []
    before = dict(world.store.objects)
    world.run()
    assert (world.asked, world.distilled) == ([], [])
    assert world.store.objects == before


@pytest.mark.parametrize("scorers", [1, 3])
def test_the_number_of_scorers_does_not_matter(scorers):
    assert objects(World(rounds=3, scorers=scorers).run()) == objects(World(rounds=3).run())


def test_phases_are_named_by_their_round():
    world = World(rounds=2).run()
    left = len(within()) - sum(c.round == 1 and Spec.parse(c.spec) in POOL for c in world.chosen)
    assert [told for told in world.told if isinstance(told[0], str)] == [
        ("round 1 of 2: distilling students", 5),
        ("round 2 of 2: scoring candidates again", left),
        ("round 2 of 2: distilling students", 2),
    ]
    assert (left, "learned from 5 students") in world.told


def test_where_no_candidate_is_left_the_search_ends():
    world = World(rounds=3, pool=within()[:3], random=0).run()
    assert [(c.role, c.round) for c in world.chosen] == [("top", 1), ("top", 1), ("top", 2)]
    assert len(world.store.list("searches/mine/rounds")) == 2


def test_no_candidate_within_the_limits():
    world = World(pool=[spec for spec in POOL if params(spec) > LIMITS.params])
    with pytest.raises(UserError, match="candidates is within the limits: raise limits"):
        world.run()
