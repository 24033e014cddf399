"""Exploring the student space on predicted scores: Ray Tune runs batches that Optuna proposes.

One Tune trial is one batch of candidates, since a trial costs far more than a score. Every scored
batch is one object in the store; what is in the store is not scored again.
"""

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import pyarrow as pa
import ray
from ray import tune
from ray.exceptions import RayError
from ray.tune.search import Searcher

from dass_ray import searches
from dass_ray.actors import metrics
from dass_ray.actors.nodes import cause
from dass_ray.actors.scorer import TRIAL_CPUS, Supports
from dass_ray.errors import UserError
from dass_ray.explore.archive import Candidates, keys
from dass_ray.explore.study import Explorer
from dass_ray.explore.tables import from_table, to_table
from dass_ray.explore.tracked import TellBatches
from dass_ray.limits import Costs
from dass_ray.predictor.scorer import Scored
from dass_ray.searches import SearchCard
from dass_ray.space import Space, Spec, Specs
from dass_ray.store.base import Store
from dass_ray.tracking.job import Job

OnBatch = Callable[[int, float], None]
"""(candidates scored, best feasible prediction of this round so far)."""

LOST = 5  # times that nodes with batches under way may be lost, each time those are asked anew
AHEAD = 1  # batches that are proposed while all scorers are busy

_TUNE = {
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's own tables: we show progress
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the store has the batches
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it stays after the search, and swallows Ctrl-C
}


@dataclass(frozen=True)
class Stage:
    """A round's exploring: by which number, to how many candidates in all, knowing of what."""

    number: int
    candidates: int
    supports: Supports


@dataclass
class _Open:
    """A batch that was asked and not yet told."""

    number: int
    trials: list[optuna.Trial]
    specs: Specs
    new: list[int]  # those that had no score yet


class BatchSearcher(Searcher):  # type: ignore[misc] # Ray has no types here
    """Asks Optuna for a batch at each Tune trial, and tells it every score of the batch.

    Scores of earlier rounds are not told, since another predictor gave them; those of students
    that this round scored again are.
    """

    def __init__(
        self, card: SearchCard, store: Store, costs: Costs, stage: Stage, on_batch: OnBatch
    ) -> None:
        super().__init__()
        self.card, self.store, self.costs, self.stage = card, store, costs, stage
        self.on_batch, self.space = on_batch, card.config.space
        self.explorer = Explorer(card.config, costs)
        self.memory: dict[bytes, tuple[float, ...]] = {}  # as `score_batch` reports them
        self.open: dict[str, _Open] = {}
        self.asked = self.told = 0
        self.seconds = {"proposing": 0.0, "telling": 0.0}
        self.written_at = time.monotonic()
        self.failure: UserError | None = None
        self.best = float("-inf")
        self._replay()
        self.number = searches.next_batch(store, card.id)

    def _replay(self) -> None:
        again = searches.read_rescored(self.store, self.card.id, self.stage.number)
        if again is not None:
            self._learn(again)
        for batch in searches.read_batches(self.store, self.card.id):
            if batch["round"][0].as_py() == self.stage.number:
                self._learn(batch)
            else:
                self.explorer.archive.ask(from_table(self.space, batch).specs)
            self.asked += len(batch)
        self.told = self.asked
        self._tell()

    def _learn(self, batch: pa.Table) -> None:
        scored = from_table(self.space, batch)
        self.explorer.replay(scored)
        self._remember(scored)

    @property
    def missing(self) -> int:
        """Batches that are still to be asked."""
        return max(0, -(-(self.stage.candidates - self.asked) // self.card.config.batch))

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next batch: `specs`, those of its students that have no score yet, as texts."""
        size = min(self.card.config.batch, self.stage.candidates - self.asked)
        if size <= 0:
            finished: str = Searcher.FINISHED
            return finished
        started = time.monotonic()
        trials, specs = self.explorer.ask(size)
        first = {name: i for i, name in reversed(list(enumerate(keys(specs))))}
        new = sorted(i for name, i in first.items() if name not in self.memory)
        self.open[trial_id] = batch = _Open(self.number, trials, specs, new)
        self.asked, self.number = self.asked + size, self.number + 1
        self.seconds["proposing"] += time.monotonic() - started
        return {"number": batch.number, "specs": [str(s) for s in self.space.unpack(specs[new])]}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Commits the batch and tells Optuna; a failed trial leaves its batch to a later run."""
        batch = self.open.pop(trial_id, None)
        if batch is None or error or result is None or "scored" not in result:
            return
        started = time.monotonic()
        names = keys(batch.specs)
        self.memory |= zip(
            [names[i] for i in batch.new], zip(*result["scored"], strict=True), strict=True
        )
        values = np.array([self.memory[name] for name in names])
        values = values.reshape(len(names), len(self.card.teachers), 2)
        scored = Candidates.scored(batch.specs, values, self.costs(batch.specs))
        self.explorer.tell(batch.trials, scored)
        rows = to_table(self.space, scored, self.card.config.limits, self.stage.number)
        try:
            if not self._write(batch.number, rows):
                raise UserError(f"another process runs the search {self.card.id!r}: wait for it")
        except UserError as failure:  # Tune would wrap it: `explore` raises it
            self.failure = failure
            raise
        self.told += len(rows)
        self._remember(scored)
        self.seconds["telling"] += time.monotonic() - started
        self._tell()

    def _write(self, number: int, rows: pa.Table) -> bool:
        """Commits a batch with the seconds since the one before, of this process."""
        before, self.written_at = self.written_at, time.monotonic()
        return searches.write_batch(
            self.store, self.card.id, number, rows, self.written_at - before
        )

    def _tell(self) -> None:
        self.on_batch(self.told, self.best)
        metrics.put("candidates", self.told)
        metrics.put("batches_in_flight", len(self.open))
        metrics.store_retries()

    def _remember(self, scored: Candidates) -> None:
        values = map(tuple, scored.values.reshape(len(scored), -1).tolist())
        self.memory |= zip(keys(scored.specs), values, strict=True)
        within = scored.predicted[self.card.config.limits.met(scored.cost)]
        self.best = max(self.best, float(within.max(initial=float("-inf"))))

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher for `Tuner.restore`, which the store makes needless."""
        return {"metric": None, "mode": None}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the store has every scored batch."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: a new searcher reads the store."""


def score_batch(
    config: dict[str, Any], scorers: list[Any], space: Space, supports: Supports
) -> None:
    """One Tune trial: scores the specs of a batch on one of the scorer actors.

    Reports two columns for each teacher: predictions and their standard deviations.
    """
    specs = [Spec.parse(text) for text in config["specs"]]
    scored: tuple[Scored, ...] = ()
    if specs:
        scorer = scorers[config["number"] % len(scorers)]
        scored = ray.get(scorer.score.remote(space.pack(specs), supports))
    columns = [column.tolist() for one in scored for column in (one.predicted, one.uncertainty)]
    tune.report({"scored": columns})


def explore(
    store: Store,
    card: SearchCard,
    costs: Costs,
    scorers: list[Any],
    stage: Stage,
    on_batch: OnBatch,
    job: Job | None = None,
) -> dict[str, float]:
    """Scores candidates until the search has as many in the store as the stage wants.

    job: is told every batch. Returns the seconds that this process spent proposing and telling.
    RuntimeError where a batch failed, UserError where a scorer could not load what it needs.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name, value in _TUNE.items():
        os.environ.setdefault(name, value)
    seconds = {"proposing": 0.0, "telling": 0.0}
    for lost in range(LOST + 1):
        searcher = BatchSearcher(card, store, costs, stage, on_batch)
        error = _tune(searcher, scorers, job or Job()) if searcher.missing else None
        seconds = {name: seconds[name] + more for name, more in searcher.seconds.items()}
        if error is None:
            break
        if isinstance(why := cause(error), UserError):
            raise UserError(str(why)) from None
        if lost == LOST or not isinstance(why, RayError):
            raise RuntimeError(f"scoring a batch failed: {error}")
    assert searcher.told >= stage.candidates
    return seconds


@contextmanager
def _one_error() -> Iterator[None]:
    """Tune logs a page for each batch that fails; `explore` raises the first one, or goes on."""
    logger = logging.getLogger("ray.tune")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _tune(searcher: BatchSearcher, scorers: list[Any], job: Job) -> Exception | None:
    """Scores what is missing; the error of a batch that has none, since Tune gives up on it."""
    trainable = tune.with_parameters(
        score_batch, scorers=scorers, space=searcher.space, supports=searcher.stage.supports
    )
    with _one_error(), tempfile.TemporaryDirectory(prefix="dass-ray-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": TRIAL_CPUS}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=searcher.missing,
                max_concurrent_trials=len(scorers) + AHEAD,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                storage_path=folder,
                name="search",
                verbose=0,
                progress_reporter=tune.CLIReporter(),  # silent; a notebook's clears the cell
                callbacks=[TellBatches(searcher, job)],
            ),
        )
        try:
            results = tuner.fit()
        except tune.TuneError:
            if searcher.failure:
                raise searcher.failure from None
            raise
    if searcher.failure:
        raise searcher.failure
    first: Exception | None = next(iter(results.errors), None)
    return first
