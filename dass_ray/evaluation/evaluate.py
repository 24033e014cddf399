"""Every method on the same students of tasks that the predictor has not seen."""

import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dass_ray.config import EvaluateConfig
from dass_ray.errors import UserError
from dass_ray.evaluation import ours
from dass_ray.evaluation.baselines import fitted
from dass_ray.evaluation.kept import Scored, kept
from dass_ray.evaluation.learned import Embedded, ablation, changed, surrogates
from dass_ray.evaluation.material import Material
from dass_ray.evaluation.rankings import Ranking
from dass_ray.evaluation.table import Evaluation, evaluation
from dass_ray.predictor import checkpoint
from dass_ray.predictor.checkpoint import PredictorCard
from dass_ray.predictor.model import Predictor
from dass_ray.predictor.tasks import TaskLedger, all_ledgers, embed, task_ledgers
from dass_ray.store.base import Store
from dass_ray.watch import Watcher
from dass_ray.zero_cost.catalogue import SCORES

RANDOM_REPEATS = 20


def evaluate(
    store: Store, config: EvaluateConfig, folder: Path, scores_in: Path, watcher: Watcher
) -> Evaluation:
    """Judges the predictor, every baseline and every ablation on the tasks of these data sets.

    folder: for files that may go afterwards; scores_in: the folder that zero-cost scores are taken
    from and left in for the next evaluation. What learns from the meta-training tasks needs their
    runs in the store, and is left out where there are none and no ablation asks for them.
    UserError where the predictor has learned from a task, or a data set has no runs.
    """
    card, predictor = checkpoint.load(store, config.predictor, config.space)
    where = config.datasets, config.space, config.without_teachers
    tests = task_ledgers(store, *where)
    _refuse_seen(card, tests)
    settings = {name: changed(card.config, change) for name, change in config.ablations.items()}
    train, validation = _meta(store, card, needed=bool(settings))
    material = {
        t.name: Material(store, t, predictor.space, config.images) for t in (*train, *tests)
    }
    watcher.phase("zero-cost scores", sum(len(t.specs) for t in (*train, *tests)))
    scores = dict(_scores(list(material.values()), scores_in, watcher))
    mine = [material[task.name] for task in tests]
    rankings = list(_ours(store, predictor, tests, config, folder, watcher))
    rankings += _without_kd(mine, scores)
    rankings += [r for m in mine for r in _with_kd(m, config)]
    rankings += short_kd(tests, all_ledgers(store, *where))
    if train:
        zero_cost = {name: values for name, (values, _) in scores.items()}
        seconds = float(np.mean([scores[task.name][1].sum() for task in tests]))
        rankings += surrogates([material[t.name] for t in train], zero_cost, mine, seconds)
    embedded = Embedded(store, predictor.space, folder, watcher)
    for name, changes in settings.items():
        rankings += ablation(name, changes, embedded, (train, validation, tests), watcher)
    return evaluation([m.truth for m in mine], rankings, ours.OURS, config.top)


def _refuse_seen(card: PredictorCard, tests: Sequence[TaskLedger]) -> None:
    seen = {*card.runs, *card.validation}
    for task in tests:
        if task.name in seen:
            raise UserError(
                f"the predictor {card.name!r} was made with runs of {task.name}: evaluate it on "
                "data sets that are neither in its train nor in its validation, or leave out the "
                "teachers that it learned from (without_teachers)"
            )


def _meta(
    store: Store, card: PredictorCard, *, needed: bool
) -> tuple[list[TaskLedger], list[TaskLedger]]:
    """The tasks that the predictor was made with, where the store has their runs.

    Those that came to its data sets later are left out: they may be what it is judged on.
    """
    c = card.config
    try:
        train, validation = (
            task_ledgers(store, names, c.space, c.without_teachers)
            for names in (c.train, c.validation)
        )
    except UserError:
        if needed:
            raise
        return [], []
    return (
        [task for task in train if task.name in card.runs],
        [task for task in validation if task.name in card.validation],
    )


def _scores(
    material: Sequence[Material], folder: Path, watcher: Watcher
) -> Iterator[tuple[str, Scored]]:
    """Zero-cost scores, by task."""
    done = 0
    for one in material:
        compute = partial(one.zero_cost, _Shifted(watcher, done), time.perf_counter)
        yield one.task.name, kept(folder, one, compute)
        done += len(one.task.specs)
        watcher.step(done, one.task.name)


class _Shifted:
    """A watcher of one of many parts of a phase."""

    def __init__(self, watcher: Watcher, before: int) -> None:
        self.watcher, self.before = watcher, before

    def phase(self, name: str, total: int) -> None:
        """Parts have no phases of their own."""

    def step(self, done: int, note: str) -> None:
        """Tells the steps of all parts."""
        self.watcher.step(self.before + done, note)


def _ours(
    store: Store,
    predictor: Predictor,
    tests: Sequence[TaskLedger],
    config: EvaluateConfig,
    folder: Path,
    watcher: Watcher,
) -> Iterator[Ranking]:
    """The predictor's rankings; its time is that of encoding a task and its students."""
    watcher.phase("encoding and scoring", len(tests))
    for i, task in enumerate(tests):
        started = time.perf_counter()
        runs = embed(store, task, predictor.space, predictor.net.encodings, folder)
        first = ours.ranking(predictor, runs, 0.0)
        seconds = (time.perf_counter() - started) / len(task.specs)
        yield ours.ranking(predictor, runs, seconds)
        for k in ours.enough(runs, config.given):
            yield ours.given_runs(predictor, runs, k, config.repeats, seconds, task.seconds)
        watcher.step(i + 1, first.task)


def _without_kd(material: Sequence[Material], scores: dict[str, Scored]) -> Iterator[Ranking]:
    """Chance, size and zero-cost scores."""
    for one in material:
        name, n = one.task.name, len(one.task.specs)
        drawn = np.random.default_rng(0).random((RANDOM_REPEATS, n))
        yield Ranking("random", "no KD", name, drawn, 0.0)
        yield Ranking("parameters", "no KD", name, one.features[None, :, -2], 0.0)
        yield Ranking("FLOPs", "no KD", name, one.features[None, :, -1], 0.0)
        values, seconds = scores[name]
        for j, method in enumerate(SCORES):
            yield Ranking(method, "no KD", name, values[None, :, j], float(seconds[j]))


def _with_kd(one: Material, config: EvaluateConfig) -> Iterator[Ranking]:
    """Regressions on some real runs of the target task."""
    n, real = len(one.task.specs), one.truth.mean
    for k in (k for k in config.given if k + 3 <= n):
        for model in fitted.MODELS:
            scores = fitted.scores(model, one.features, real, k, config.repeats)
            spent = k * one.task.seconds
            yield Ranking(f"{model}, {k} runs", "KD on target", one.task.name, scores, 0.0, spent)


def short_kd(tests: Sequence[TaskLedger], every: Sequence[TaskLedger]) -> Iterator[Ranking]:
    """Rankings by KD that was cut short: stored runs of the same recipe with fewer epochs."""
    same = {"epochs", "min_steps"}
    for task in tests:
        for other in every:
            alike = other.recipe.model_dump(exclude=same) == task.recipe.model_dump(exclude=same)
            short = (other.recipe.epochs, other.recipe.min_steps) < (
                task.recipe.epochs, task.recipe.min_steps,
            )  # fmt: skip
            if other.card.id == task.card.id and alike and short:
                found = {spec.tobytes(): a for spec, a in zip(other.specs, other.mean, strict=True)}
                scores = np.array([found.get(spec.tobytes(), np.nan) for spec in task.specs])
                epochs = other.recipe.epochs
                name = f"KD of {epochs} epoch{'s' * (epochs != 1)}"
                yield Ranking(name, "KD on target", task.name, scores[None], other.seconds)
