"""Exploring the student space on predicted scores: Ray Tune runs batches that Optuna proposes.

One Tune trial is one batch of candidates, since a trial costs far more than a score. Every scored
batch is one object in the store; what is in the store is not scored again.
"""

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
import ray
from ray import tune
from ray.tune.search import Searcher

from dass_ray import searches
from dass_ray.actors.scorer import TRIAL_CPUS
from dass_ray.cost import Cost
from dass_ray.errors import UserError
from dass_ray.explore import Explorer
from dass_ray.predictor.scorer import Scored
from dass_ray.searches import SearchCard
from dass_ray.space import Space, Spec
from dass_ray.store.base import Store

OnBatch = Callable[[int, int, float], None]
"""(candidates scored, candidates in all, best feasible prediction so far)."""


_TUNE = {
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's own tables: we show progress
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the store has the batches
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # it stays after the search, and swallows Ctrl-C
}


@dataclass
class _Open:
    """A batch that was asked and not yet told."""

    number: int
    trials: list[optuna.Trial]
    specs: list[Spec]
    new: list[Spec]  # those that had no score yet


class BatchSearcher(Searcher):  # type: ignore[misc] # Ray has no types here
    """Asks Optuna for a batch at each Tune trial, and tells it every score of the batch."""

    def __init__(self, card: SearchCard, store: Store, on_batch: OnBatch) -> None:
        super().__init__()
        config = card.config
        self.card, self.store, self.on_batch, self.total = card, store, on_batch, config.candidates
        self.explorer = Explorer(config, len(card.teacher.classes))
        self.memory: dict[Spec, tuple[float, float, int, int]] = {}
        self.open: dict[str, _Open] = {}
        self.asked = self.told = 0
        self.failure: UserError | None = None
        self.best = float("-inf")
        for batch in searches.read_batches(store, card.id):
            self.explorer.replay(batch)
            self._remember(batch.to_pydict())
            self.asked += len(batch)
        self.number = searches.next_batch(store, card.id)

    @property
    def missing(self) -> int:
        """Batches that are still to be asked."""
        return -(-(self.total - self.asked) // self.card.config.batch)

    def suggest(self, trial_id: str) -> dict[str, Any] | str:
        """The next batch: `specs`, those of its students that have no score yet, as texts."""
        size = min(self.card.config.batch, self.total - self.asked)
        if size <= 0:
            finished: str = Searcher.FINISHED
            return finished
        trials, specs = self.explorer.ask(size)
        new = [spec for spec in dict.fromkeys(specs) if spec not in self.memory]
        self.open[trial_id] = batch = _Open(self.number, trials, specs, new)
        self.asked, self.number = self.asked + size, self.number + 1
        return {"number": batch.number, "specs": [str(spec) for spec in new]}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Commits the batch and tells Optuna; a failed trial leaves its batch to a later run."""
        batch = self.open.pop(trial_id, None)
        if batch is None or error or result is None or "scored" not in result:
            return
        self.memory |= zip(batch.new, zip(*result["scored"], strict=True), strict=True)
        predicted, uncertainty, params, flops = zip(
            *(self.memory[spec] for spec in batch.specs), strict=True
        )
        scored = Scored(*map(np.asarray, (predicted, uncertainty, params, flops)))
        self.explorer.tell(batch.trials, scored)
        rows = {
            "spec": [str(spec) for spec in batch.specs],
            "predicted": predicted,
            "uncertainty": uncertainty,
            "params": params,
            "flops": flops,
            "feasible": self.card.config.limits.met(Cost(scored.params, scored.flops)),
        }
        try:
            if not searches.write_batch(self.store, self.card.id, batch.number, rows):
                raise UserError(f"another process runs the search {self.card.id!r}: wait for it")
        except UserError as failure:  # Tune would wrap it: `explore` raises it
            self.failure = failure
            raise
        self._remember(rows)

    def _remember(self, rows: dict[str, Any]) -> None:
        names = ("predicted", "uncertainty", "params", "flops")
        columns = zip(*(rows[name] for name in names), strict=True)
        self.memory |= zip(map(Spec.parse, rows["spec"]), columns, strict=True)
        self.told += len(rows["spec"])
        feasible = zip(rows["predicted"], rows["feasible"], strict=True)
        self.best = max([self.best, *(value for value, met in feasible if met)])
        self.on_batch(self.told, self.total, self.best)

    def __getstate__(self) -> dict[str, Any]:
        """Tune pickles its searcher for `Tuner.restore`, which the store makes needless."""
        return {"metric": None, "mode": None}

    def save(self, checkpoint_path: str) -> None:
        """Nothing to save: the store has every scored batch."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing to restore: a new searcher reads the store."""


def score_batch(config: dict[str, Any], scorers: list[Any], space: Space) -> None:
    """One Tune trial: scores the specs of a batch on one of the scorer actors."""
    specs = [Spec.parse(text) for text in config["specs"]]
    columns: list[list[float]] = [[], [], [], []]
    if specs:
        scorer = scorers[config["number"] % len(scorers)]
        scored: Scored = ray.get(scorer.score.remote(space.pack(specs)))
        arrays = (scored.predicted, scored.uncertainty, scored.params, scored.flops)
        columns = [values.tolist() for values in arrays]
    tune.report({"scored": columns})


def explore(store: Store, card: SearchCard, scorers: list[Any], on_batch: OnBatch) -> None:
    """Scores candidates until the search has `candidates` of them in the store.

    RuntimeError where a batch failed.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    for name, value in _TUNE.items():
        os.environ.setdefault(name, value)
    searcher = BatchSearcher(card, store, on_batch)
    if not searcher.missing:
        return
    trainable = tune.with_parameters(score_batch, scorers=scorers, space=card.config.space)
    with tempfile.TemporaryDirectory(prefix="dass-ray-tune-") as folder:
        tuner = tune.Tuner(
            tune.with_resources(trainable, {"cpu": TRIAL_CPUS}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                num_samples=searcher.missing,
                max_concurrent_trials=len(scorers),
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(storage_path=folder, name="search", verbose=0),
        )
        try:
            results = tuner.fit()
        except tune.TuneError:
            if searcher.failure:
                raise searcher.failure from None
            raise
    if searcher.failure:
        raise searcher.failure
    if results.errors:
        raise RuntimeError(f"scoring a batch failed: {results.errors[0]}")
    assert searcher.told == card.config.candidates
