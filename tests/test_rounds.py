"""The loop of exploring, choosing, distilling and learning, with made-up effects; no Ray."""

import itertools
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
from ray.exceptions import RayTaskError

from dass_ray import ledger, limits, rounds, searches
from dass_ray.config import SearchConfig
from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.explore.archive import Candidates
from dass_ray.explore.tables import to_table
from dass_ray.limits import Costs, Limits
from dass_ray.predictor.scorer import Scored
from dass_ray.rounds import Rounds, share
from dass_ray.searches import Budget, Round, SearchCard
from dass_ray.space import Spec
from dass_ray.watch import Clock

from .make import CLASSES, KD, TINY, Fragile, Memory, row, specs, teacher_card

LIMITS = Limits(params=2500)
BOTH = "t1", "t2"  # teachers
POOL = list(dict.fromkeys(specs(TINY, 30)))  # candidates, some beyond the limits
BATCH = 4


def params(spec):
    return int(cost(TINY, TINY.pack([spec]), len(CLASSES)).params[0])


def truth(spec, teacher="t1"):
    """What a student reaches: the smaller the better, against all that is believed of students."""
    return 0.9 - params(spec) / 10_000 - (teacher == "t2") / 50


def scored(packed, support=(), teacher="t1"):
    """Larger students are better, unless at least two verified ones say otherwise.

    From t2 the smaller ones are, and its best are as good as the best from t1.
    """
    costs = cost(TINY, packed, len(CLASSES))
    line = [1e-4, 0.5] if teacher == "t1" else [-1e-4, 0.835]
    if len(support) > 1:
        line = np.polyfit([params(spec) for spec, _ in support], [a for _, a in support], 1)
    return Scored(
        np.polyval(line, costs.params), np.full(len(packed), 0.01), costs.params, costs.flops
    )


class World:
    """A search, and what happens outside of its loop. Candidates come from a list."""

    def __init__(self, store=None, scorers=2, bad=(), pool=POOL, teachers=(), **verify):
        self.store, self.pool = store or Memory(), pool
        config = SearchConfig(
            dataset="tinges", space=TINY, kd=KD, limits=LIMITS, batch=BATCH, candidates=len(pool),
            verify={"top": 5, "random": 2, **verify}, teachers=teachers,
        )  # fmt: skip
        others = [teacher_card(id=name, fingerprint=name * 32) for name in teachers[1:]]
        self.card = SearchCard(
            id="mine", config=config, teacher=teacher_card(), predictor="p", started_at=0.0,
            code_version="0.1.0", others=others,
        )  # fmt: skip
        self.scorers, self.bad, self.clock = scorers, bad, itertools.repeat(0.0)
        self.open, self.asked, self.distilled, self.told, self.stages = False, [], [], [], []

    def scored(self, packed, supports):
        names = [card.id for card in self.card.teachers]
        return tuple(
            scored(packed, support, name) for name, support in zip(names, supports, strict=True)
        )

    @contextmanager
    def started(self, *_):
        def score(packed, supports):
            assert self.open
            self.asked.append((TINY.unpack(packed), supports))
            return self.scored(packed, supports)

        self.open = True
        yield [SimpleNamespace(score=SimpleNamespace(remote=score))] * self.scorers
        self.open = False

    def explore(self, store, card, costs, scorers, stage, on_batch, job):
        """The next candidates of the pool, as the searcher would commit them."""
        assert self.open
        self.stages.append(stage)
        done = sum(len(batch) for batch in searches.read_batches(store, card.id))
        while done < stage.candidates:
            some = TINY.pack(self.pool[done : min(done + BATCH, stage.candidates)])
            found = self.scored(some, stage.supports)
            values = [np.stack([one.predicted, one.uncertainty], axis=1) for one in found]
            rows = Candidates.scored(some, np.stack(values, axis=1), costs(some))
            table = to_table(TINY, rows, LIMITS, stage.number)
            searches.write_batch(store, card.id, searches.next_batch(store, card.id), table)
            done += len(some)
            on_batch(done, 0.5)

    def distil_all(self, config, runs, watcher, *, shard, keep_weights, job):
        assert not self.open  # a scorer would keep the CPU
        assert (shard, keep_weights) == (1, True)
        watcher.phase("distilling students", len(runs))
        done = ledger.done(self.store)
        for run in (run for run in runs if run.key not in done):
            self.distilled.append(run.key)
            bad = {"status": "diverged", "validation": None} if run.spec in self.bad else {}
            reached = truth(Spec.parse(run.spec), run.teacher.id) + run.seed / 100
            facts = {"validation": reached, "teacher_fingerprint": run.teacher.fingerprint} | bad
            ledger.commit(self.store, [row(run.key, spec=run.spec, seed=run.seed, **facts)])

    def phase(self, name, total):
        self.told.append((name, total))

    def step(self, done, note):
        self.told.append((done, note))

    def run(self):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(rounds.scorer, "started", self.started)
            patch.setattr(rounds, "distil_all", self.distil_all)
            patch.setattr(rounds, "explore", self.explore)
            patch.setattr(rounds.ray, "get", lambda ref: ref)
            patch.setattr(rounds, "time", SimpleNamespace(monotonic=lambda: next(self.clock)))
            patch.setattr(limits, "_WALKS", 200)
            costs = Costs(TINY, len(CLASSES))
            Rounds(self.store, self.card.config, self.card, costs, self, Clock()).run()
        return self

    def extended(self, **budget):
        """The same search with more to do."""
        wanted = Budget.of(self.card.config).model_copy(update=budget)
        self.card = self.card.model_copy(update={"config": wanted.within(self.card.config)})
        self.asked, self.distilled, self.told, self.stages, self.open = [], [], [], [], False
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


def config(candidates=100, top=6, number=3):
    world = World(rounds=number, top=top)
    return world.card.config.model_copy(update={"candidates": candidates})


def of(number, candidates, role="top"):
    """The record of a round that chose so many students."""
    world = World(rounds=3)
    students = [
        searches.Choice(
            spec=str(spec), role=role, round=1, predicted=0.5, uncertainty=0.1, params=1, flops=1,
            keys=(),
        )
        for spec in world.pool[:number]
    ]  # fmt: skip
    return Round(students=tuple(students), candidates=candidates)


@pytest.mark.parametrize(
    ("earlier", "expected"),
    [
        ([], (34, 2)),
        ([of(2, 34)], (67, 2)),
        ([of(2, 34), of(2, 67)], (100, 2)),
        ([of(2, 34), of(2, 67), of(2, 100)], None),
        ([of(4, 50)], (75, 1)),  # what is left is shared anew
        ([of(2, 34), of(2, 67), of(1, 100)], (100, 1)),  # one is missing
        ([of(2, 34), of(2, 67), of(0, 100)], None),  # there were no more students
        ([of(6, 50)], (75, 0)),
        ([of(2, 60), of(2, 120), of(2, 180)], None),  # a budget that was larger
        ([of(9, 34, "random")], (67, 3)),  # random ones are not counted
    ],
)
def test_the_share_of_a_round(earlier, expected):
    assert share(config(), earlier) == expected


def test_the_made_up_search_has_enough_candidates():
    assert len(POOL) > len(within()) > 12
    assert not all(a == b for a, b in zip(largest(within(), 3), largest(POOL, 3), strict=True))


def test_one_round_distils_the_best_predicted_and_random_ones():
    world = World(rounds=1).run()
    assert world.store.list("searches/mine/rounds") == ["searches/mine/rounds/000001.json"]
    assert [choice.role for choice in world.chosen] == ["top"] * 5 + ["random"] * 2
    assert world.top(1) == largest(within(), 5)
    assert [(stage.number, stage.candidates) for stage in world.stages] == [(1, len(POOL))]
    assert world.told[0] == ("scoring candidates", len(POOL))
    assert world.told[-1] == ("distilling students", 7)
    assert world.distilled == [key for choice in world.chosen for key in choice.keys]


def test_rounds_share_candidates_and_top_students_and_never_repeat_one():
    world = World(rounds=3).run()
    assert [(c.role, c.round) for c in world.chosen] == [
        *[("top", 1)] * 2, *[("random", 1)] * 2, *[("top", 2)] * 2, ("top", 3),
    ]  # fmt: skip
    assert len({choice.spec for choice in world.chosen}) == 7
    assert all(choice.params <= LIMITS.params for choice in world.chosen)
    assert len(world.distilled) == len(set(world.distilled)) == 7
    third = -(-len(POOL) // 3)
    assert (world.stages[0].candidates, world.stages[-1].candidates) == (third, len(POOL))
    assert [one.candidates for one in searches.read_rounds(world.store, "mine")] == [
        stage.candidates for stage in world.stages
    ]


def test_later_rounds_are_chosen_by_what_was_learned():
    world = World(rounds=2).run()
    first = POOL[: -(-len(POOL) // 2)]
    assert world.top(1) == largest(within(first), 3)
    left = set(within()) - {Spec.parse(c.spec) for c in world.chosen if c.round == 1}
    assert world.top(2) == sorted(left, key=params)[:2]


def test_the_best_of_earlier_rounds_are_scored_again(monkeypatch):
    monkeypatch.setattr(rounds, "RESCORED", 5)
    world = World(rounds=2).run()
    first, supports = POOL[: -(-len(POOL) // 2)], world.stages[1].supports
    again = [spec for some, known in world.asked if known == supports for spec in some]
    table = searches.read_rescored(world.store, "mine", 2)
    assert table["spec"].to_pylist() == [str(spec) for spec in again]
    assert set(table["round"].to_pylist()) == {2}
    assert len(again) == 5
    assert set(again) <= set(within(first))
    assert largest(within(first), 1)[0] in again


def test_the_support_is_every_verified_student_so_far():
    world = World(rounds=3, seeds=(0, 4)).run()
    supports = [support for stage in world.stages for support in stage.supports]
    assert [len(support) for support in supports] == [0, 4, 6]
    for number, support in enumerate(supports):
        assert sorted(spec for spec, _ in support) == sorted(
            Spec.parse(choice.spec) for choice in world.chosen if choice.round <= number
        )
        for spec, reached in support:
            assert reached == pytest.approx(truth(spec) + 0.02)  # mean over both seeds


def test_students_that_others_verified_are_learned_from():
    world = World(rounds=1)
    ledger.commit(world.store, [row("theirs", spec=str(POOL[3]), validation=0.77)])
    ledger.commit(world.store, [row("other", spec=str(POOL[4]), teacher_fingerprint="e" * 64)])
    world.run()
    assert [stage.supports for stage in world.stages] == [(((POOL[3], 0.77),),)]


def test_a_run_that_another_search_made_is_not_made_again():
    first = World(rounds=1).run()
    world = World(Memory(), rounds=1)
    run = rounds.verify.runs(world.card, first.chosen[0].spec)[0]
    ledger.commit(world.store, [row(run.key, spec=run.spec, validation=0.9)])
    world.run()
    assert run.key in {key for choice in world.chosen for key in choice.keys}
    assert run.key not in world.distilled


def test_diverged_runs_join_no_support():
    first = World(rounds=1).run()
    bad = [choice.spec for choice in first.chosen]
    world = World(rounds=2, bad=bad).run()
    failed = {choice.spec for choice in world.chosen if choice.round == 1} & set(bad)
    assert failed
    known = {str(spec) for spec, _ in world.stages[-1].supports[0]}
    assert known == {choice.spec for choice in world.chosen if choice.round == 1} - failed
    assert not {str(spec) for spec in world.top(2)} & failed  # which are not tried again


def test_a_student_keeps_the_prediction_that_chose_it():
    world = World(rounds=2).run()
    for choice in world.chosen:
        (known,) = world.stages[choice.round - 1].supports
        expected = scored(TINY.pack([Spec.parse(choice.spec)]), known)
        assert choice.predicted == pytest.approx(expected.predicted[0])
        assert (choice.params, choice.flops) == (expected.params[0], expected.flops[0])
        assert choice.latency is None
        assert choice.keys == tuple(run.key for run in rounds.verify.runs(world.card, choice.spec))


def objects(world):
    """What the store holds of the rounds, without what a clock or chance decides."""
    parts = ("/rounds/", "/rescored/", "/learned/", "/batches/")
    return {p: data for p, data in world.store.objects.items() if any(part in p for part in parts)}


PUTS = sum(1 for _ in World(rounds=3).run().store.objects)


@pytest.mark.parametrize(
    ("lost_at", "teachers"),
    [(n, ()) for n in range(1, PUTS + 1)] + [(n, BOTH) for n in range(1, PUTS + 1, 3)],
)
def test_a_search_that_was_killed_goes_on_to_the_same_students(lost_at, teachers):
    whole = World(rounds=3, teachers=teachers).run()
    world = World(Fragile(lost_at), rounds=3, teachers=teachers)
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
    before = dict(world.store.objects)
    world.extended().run()
    assert (world.asked, world.distilled) == ([], [])
    assert world.store.objects == before


def test_a_finished_search_goes_on_with_a_larger_budget():
    world = World(rounds=2, top=4, pool=POOL)
    world.card = world.card.model_copy(
        update={"config": world.card.config.model_copy(update={"candidates": 12})}
    )
    world.run()
    before, chosen = dict(world.store.objects), len(world.chosen)
    world.extended(candidates=len(POOL), top=6, rounds=3).run()
    assert [(stage.number, stage.candidates) for stage in world.stages] == [(3, len(POOL))]
    assert len(world.stages[0].supports[0]) == chosen
    assert len(world.top(3)) == 2
    assert {path: world.store.objects[path] for path in before} == before


def test_with_more_candidates_alone_the_new_best_are_distilled():
    """Those of the best `top` of all that were not distilled before."""
    few = largest(within(), 6)[3:] + [s for s in POOL if s not in largest(within(), 6)]
    pool = [*few, *largest(within(), 6)[:3]]
    world = World(rounds=1, top=5, random=0, pool=pool)
    world.card = world.card.model_copy(
        update={"config": world.card.config.model_copy(update={"candidates": len(few)})}
    )
    with pytest.MonkeyPatch.context() as patch:  # so that what was learned changes no order
        patch.setattr(rounds, "LEARNED_FROM", 0)
        world.run()
        world.extended(candidates=len(pool)).run()
    assert set(world.top(2)) == set(pool[-3:])
    assert world.extended().run().distilled == []


@pytest.mark.parametrize("scorers", [1, 3])
def test_the_number_of_scorers_does_not_matter(scorers):
    assert objects(World(rounds=3, scorers=scorers).run()) == objects(World(rounds=3).run())


def test_phases_are_named_by_their_round():
    world = World(rounds=2).run()
    half = -(-len(POOL) // 2)
    again = len(searches.read_rescored(world.store, "mine", 2))
    assert [told for told in world.told if isinstance(told[0], str)] == [
        ("round 1 of 2: scoring candidates", half),
        ("round 1 of 2: distilling students", 5),
        ("round 2 of 2: scoring the best again", again),
        ("round 2 of 2: scoring candidates", len(POOL) - half),
        ("round 2 of 2: distilling students", 2),
    ]
    assert (again, "learned from 5 students") in world.told


def test_where_no_candidate_is_left_the_search_ends():
    world = World(rounds=3, pool=within()[:3], random=0).run()
    assert len(world.chosen) == 3
    assert len({choice.spec for choice in world.chosen}) == 3


def ranked(pairs):
    """Pairs of a student and a teacher, the best predicted first."""
    value = {(s, t): scored(TINY.pack([s]), (), t).predicted[0] for s, t in pairs}
    return sorted(pairs, key=lambda pair: (-value[pair], params(pair[0])))


def test_of_several_teachers_a_student_is_chosen_with_its_own():
    world = World(rounds=1, teachers=BOTH).run()
    best = ranked([(spec, name) for spec in within() for name in BOTH])[:5]
    chosen = [(Spec.parse(choice.spec), choice.teacher) for choice in world.chosen]
    assert chosen[:5] == best
    assert {name for _, name in best} == set(BOTH)
    assert [name for _, name in chosen[5:]] == list(BOTH)  # random ones, in turn
    assert not {spec for spec, _ in chosen[5:]} & {spec for spec, _ in best}
    for choice, (spec, name) in zip(world.chosen, chosen, strict=True):
        predicted = scored(TINY.pack([spec]), (), name).predicted[0]
        assert choice.predicted == pytest.approx(predicted)
        assert choice.keys == tuple(
            run.key for run in rounds.verify.runs(world.card, choice.spec, name)
        )
    assert world.distilled == [key for choice in world.chosen for key in choice.keys]


def test_scores_by_every_teacher_are_in_the_store():
    world = World(rounds=1, teachers=BOTH).run()
    for table in searches.read_batches(world.store, "mine"):
        packed = TINY.pack([Spec.parse(spec) for spec in table["spec"].to_pylist()])
        found = np.array(table["predicted_by"].to_pylist())
        expected = [scored(packed, (), name).predicted for name in BOTH]
        assert found == pytest.approx(np.stack(expected, axis=1))
        assert table["predicted"].to_pylist() == found.max(axis=1).tolist()
        assert np.shape(table["uncertainty_by"].to_pylist()) == found.shape


def test_a_teacher_is_learned_about_from_its_own_students():
    world = World(rounds=2, teachers=BOTH).run()
    for name, support in zip(BOTH, world.stages[1].supports, strict=True):
        first = [c for c in world.chosen if (c.round, c.teacher) == (1, name)]
        assert {str(spec) for spec, _ in support} == {choice.spec for choice in first}
        for spec, reached in support:
            assert reached == pytest.approx(truth(spec, name))
    pairs = [(choice.spec, choice.teacher) for choice in world.chosen]
    assert len(set(pairs)) == len(pairs) == 7
    before = dict(world.store.objects)
    world.extended().run()
    assert world.store.objects == before


def test_no_candidate_within_the_limits():
    world = World(pool=[spec for spec in POOL if params(spec) > LIMITS.params])
    with pytest.raises(UserError, match="candidates is within the limits: raise limits"):
        world.run()


def test_seconds_of_a_round_are_also_those_of_a_process_that_was_stopped():
    world = World(rounds=3)
    some = TINY.pack(POOL[:BATCH])
    found = world.scored(some, ((),))[0]
    values = np.stack([found.predicted, found.uncertainty], axis=1)[:, None]
    rows = Candidates.scored(some, values, Costs(TINY, len(CLASSES))(some))
    table = to_table(TINY, rows, LIMITS, 1)
    searches.write_batch(world.store, "mine", 0, table, 7.0)
    world.clock = itertools.count(0.0, 2.0)
    world.run()
    assert [one.seconds for one in searches.read_rounds(world.store, "mine")] == [9, 2, 2]


def test_what_a_scorer_cannot_load_is_one_line(monkeypatch):
    def get(ref):
        raise RayTaskError("score", "its traceback", ref).as_instanceof_cause()

    monkeypatch.setattr(rounds.ray, "get", get)
    with pytest.raises(UserError, match=r"^no store$"):
        rounds._answer(UserError("no store"))
    with pytest.raises(ValueError, match="its traceback"):
        rounds._answer(ValueError("no score"))
