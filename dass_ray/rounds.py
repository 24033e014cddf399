"""The rounds of a search: explore, choose, distil; then with what was learned, the same again.

In a round, candidates are scored by the predictor adapted to the teacher and to all students of
the task that were verified before, by this search or by any other that shares the store. Where a
search has several teachers, each candidate is scored for each, and students are chosen with the
teacher that they are distilled from; random ones get the teachers in turn. The store
is the truth: what a round has learned from is committed before its first score, its choice before
its first distillation, so a search that was killed goes on in the round where it was, and every
student keeps the prediction that was made before it was verified.
"""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import ray
from numpy.typing import NDArray
from ray.exceptions import RayTaskError

from dass_ray import ledger, searches, verify
from dass_ray.actors import scorer
from dass_ray.actors.nodes import cause
from dass_ray.actors.scorer import Support, Supports
from dass_ray.collect import distil_all
from dass_ray.config import SearchConfig
from dass_ray.errors import UserError
from dass_ray.explore.archive import Archive, Candidates
from dass_ray.explore.front import order
from dass_ray.explore.tables import from_table, to_table
from dass_ray.limits import Costs
from dass_ray.predictor.scorer import Scored
from dass_ray.records import TeacherCard
from dass_ray.search import Stage, explore
from dass_ray.searches import Learned, Round, SearchCard
from dass_ray.space import Spec, Specs
from dass_ray.store.base import Store
from dass_ray.tracking.job import Job
from dass_ray.watch import Clock, Prefixed, Watcher

RESCORED = 1024  # candidates of earlier rounds, the best, that a later one scores again
LEARNED_FROM = 1024  # verified students at the most: learning costs their cube


def share(budget: SearchConfig, earlier: Sequence[Round]) -> tuple[int, int] | None:
    """What the next round does: candidates to reach in all, and top students to distil.

    None where the search has all of both. A search whose candidates alone were raised distils those
    of its new best `verify.top` that it has not.
    """
    chosen = sum(choice.role == "top" for one in earlier for choice in one.students)
    done = earlier[-1].candidates if earlier else 0
    candidates, top = budget.candidates - done, budget.verify.top - chosen
    if candidates <= 0 and (top <= 0 or (earlier and not earlier[-1].students)):
        return None
    left = max(1, budget.verify.rounds - len(earlier))
    return done + max(0, -(-candidates // left)), max(0, -(-top // left))


class Rounds:
    """A search under way.

    config: of this call, whose store and resources may differ from the card's.
    """

    def __init__(
        self,
        store: Store,
        config: SearchConfig,
        card: SearchCard,
        costs: Costs,
        watcher: Watcher,
        clock: Clock,
        job: Job | None = None,
    ) -> None:
        self.store, self.config, self.card, self.costs = store, config, card, costs
        self.space, self.watcher, self.clock = card.config.space, watcher, clock
        self.job = job or Job()

    def run(self) -> None:
        """All rounds to the end of the budget, from where the store has them.

        UserError where no candidate is within the limits.
        """
        done = searches.read_rounds(self.store, self.card.id)
        for number, chosen in enumerate(done, 1):
            self._distil(number, chosen)  # what an earlier process left
        while wanted := share(self.card.config, done):
            number = len(done) + 1
            with self.clock.phase("explore"):
                done.append(self._round(number, *wanted, done))
            self._distil(number, done[-1])

    def _told(self, number: int) -> Watcher:
        count = max(number, self.card.config.verify.rounds)
        return Prefixed(self.watcher, f"round {number} of {count}: ") if count > 1 else self.watcher

    def _distil(self, number: int, chosen: Round) -> None:
        runs = [
            run
            for choice in chosen.students
            for run in verify.runs(self.card, choice.spec, choice.teacher)
        ]
        if runs:
            with self.clock.phase("verify"):
                distil_all(
                    self.config, runs, self._told(number), shard=1, keep_weights=True, job=self.job
                )

    def _round(self, number: int, candidates: int, top: int, earlier: list[Round]) -> Round:
        """Explores and chooses."""
        started, spent = time.monotonic(), searches.seconds_of(self.store, self.card.id, number)
        supports, told = self._learned(number), self._told(number)
        before = earlier[-1].candidates if earlier else 0
        batches = -(-(candidates - before) // self.card.config.batch)
        with scorer.started(
            self.store.uri, self.config.predictor, self.card.teachers, self.card.config.precision,
            self.config.resources, batches,
        ) as scorers:  # fmt: skip
            if number > 1:
                self._score_again(scorers, number, supports, told)
            told.phase("scoring candidates", candidates - before)
            explore(
                self.store, self.card, self.costs, scorers, Stage(number, candidates, supports),
                lambda done, best: told.step(done - before, f"best predicted {best:.1%}"),
                self.job,
            )  # fmt: skip
            chosen = self._chosen(scorers, number, top, earlier, supports)
        seconds = spent + time.monotonic() - started
        record = Round(students=tuple(chosen), candidates=candidates, seconds=seconds)
        return searches.write_round(self.store, self.card.id, number, record)

    def _learned(self, number: int) -> Supports:
        """Verified students that the scores of a round know of, committed before the first."""
        known = searches.read_learned(self.store, self.card.id, number)
        if known is None:
            first, *others = (self._verified(teacher) for teacher in self.card.teachers)
            new = Learned(students=first, others=tuple(others))
            known = searches.write_learned(self.store, self.card.id, number, new)
        return tuple(map(_support, (known.students, *known.others)))

    def _verified(self, teacher: TeacherCard) -> tuple[tuple[str, float], ...]:
        """All verified students of a teacher."""
        asked = verify.of_task(teacher, self.card.config.kd)
        runs = ledger.read(self.store, ["spec", "validation"], asked)
        return tuple((str(spec), reached) for spec, reached in verify.known(runs)[:LEARNED_FROM])

    def _score_again(
        self, scorers: Sequence[Any], number: int, supports: Supports, told: Watcher
    ) -> None:
        """Scores the best candidates of earlier rounds by what is known now."""
        if searches.read_rescored(self.store, self.card.id, number) is not None:
            return
        some = self._best_so_far(number)
        told.phase("scoring the best again", len(some))
        scored = self._score(scorers, some.specs, supports, told)
        rows = to_table(self.space, scored, self.card.config.limits, number)
        searches.write_rescored(self.store, self.card.id, number, rows)

    def _best_so_far(self, number: int) -> Candidates:
        """The best of earlier rounds within the limits, each with its newest score."""
        archive, batches = Archive(), searches.read_batches(self.store, self.card.id)
        for before in range(number - 1, 0, -1):  # an archive keeps the first that it is given
            for part in self._scored_in(before, batches):
                archive.add(part)
        known = archive.all
        within = known.at(self.card.config.limits.met(known.cost))
        ranked = order(
            within.minimised(self.card.config.objectives), np.zeros(len(within)), RESCORED
        )
        return within.at(ranked)

    def _scored_in(self, number: int, batches: Sequence[pa.Table]) -> list[Candidates]:
        """What a round scored again, then its own candidates."""
        again = searches.read_rescored(self.store, self.card.id, number)
        tables = [again, *(batch for batch in batches if batch["round"][0].as_py() == number)]
        return [from_table(self.space, table) for table in tables if table is not None]

    def _score(
        self, scorers: Sequence[Any], specs: Specs, supports: Supports, told: Watcher | None = None
    ) -> Candidates:
        """Scores students [N, S, D], in chunks that do not depend on the number of scorers."""
        size, parts = self.card.config.batch, [np.empty((0, len(supports), 2))]
        chunks = [specs[i : i + size] for i in range(0, len(specs), size)]
        refs = [
            scorers[i % len(scorers)].score.remote(chunk, supports)
            for i, chunk in enumerate(chunks)
        ]
        for ref in refs:
            scored = _answer(ref)
            by_teacher = [np.stack([one.predicted, one.uncertainty], axis=1) for one in scored]
            parts.append(np.stack(by_teacher, axis=1))
            if told:
                note = f"learned from {sum(map(len, supports))} students"
                told.step(sum(map(len, parts)), note)
        return Candidates.scored(specs, np.concatenate(parts), self.costs(specs))

    def _chosen(
        self,
        scorers: Sequence[Any],
        number: int,
        top: int,
        earlier: Sequence[Round],
        supports: Supports,
    ) -> list[searches.Choice]:
        """The students of a round, each with its teacher; the random ones belong to the first."""
        archive, config = Archive(), self.card.config
        for part in self._scored_in(number, searches.read_batches(self.store, self.card.id)):
            archive.add(part)
        known = archive.all
        within = known.at(config.limits.met(known.cost))
        if not len(within):
            raise UserError(
                f"none of the {config.candidates} candidates is within the limits: raise limits.* "
                "or candidates"
            )
        best, teachers = self._to_verify(within, top, earlier, supports)
        chosen = verify.choices(self.card, number, "top", best, teachers)
        if number == 1:
            drawn = verify.drawn_at_random(config, self.costs, self.space.unpack(best.specs))
            pairs, teachers = self._score(scorers, self.space.pack(drawn), supports).pairs()
            students, several = np.arange(len(drawn)), len(supports)
            turn = students * several + students % several  # of a student's pairs, by teacher
            chosen += verify.choices(self.card, number, "random", pairs.at(turn), teachers[turn])
        return chosen

    def _to_verify(
        self, within: Candidates, top: int, earlier: Sequence[Round], supports: Supports
    ) -> tuple[Candidates, NDArray[np.int64]]:
        """The best new students, each with the number of its teacher."""
        config, names = self.card.config, self.card.names
        taken = {(choice.spec, choice.teacher) for one in earlier for choice in one.students}
        texts = [str(spec) for spec in self.space.unpack(within.specs)]
        free = np.array([(text, name) not in taken for text in texts for name in names], bool)
        pairs, teachers = within.pairs()
        if top == 0:  # more candidates, but no more students: those that are among the best now
            free &= np.isin(np.arange(len(pairs)), verify.top(pairs)[: config.verify.top])
            top = config.verify.top
        new, reached = pairs.at(free), verify.best_reached(earlier, names, supports)
        chosen = verify.choose(
            config.verify.choose, self.space, new, config.objectives, top, reached
        )
        return new.at(chosen), teachers[free][chosen]


def _answer(ref: Any) -> Sequence[Scored]:  # noqa: ANN401 - Ray's references have no type
    """What a scorer answers; UserError where it could not load what it needs."""
    try:
        scored: Sequence[Scored] = ray.get(ref)
    except RayTaskError as error:
        if isinstance(why := cause(error), UserError):
            raise UserError(str(why)) from None
        raise
    return scored


def _support(students: Iterable[tuple[str, float]]) -> Support:
    return tuple((Spec.parse(spec), reached) for spec, reached in students)
