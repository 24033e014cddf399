"""Methods that learn from the meta-training tasks: the predictor's ablations, and surrogates."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from dass_ray.config import Encodings, MetaTrainConfig, Signal
from dass_ray.evaluation import ours
from dass_ray.evaluation.baselines import mean_accuracy, transfer
from dass_ray.evaluation.material import Material
from dass_ray.evaluation.rankings import Floats, Ranking
from dass_ray.frozen import content_hash
from dass_ray.predictor.meta_train import meta_train
from dass_ray.predictor.narrow import narrowed, widest
from dass_ray.predictor.runs import TaskRuns
from dass_ray.predictor.tasks import TaskLedger, embed
from dass_ray.space import Space
from dass_ray.store.base import Store
from dass_ray.watch import Watcher


def surrogates(
    train: Sequence[Material],
    scores: Mapping[str, Floats],
    tests: Sequence[Material],
    seconds: float,
) -> Iterator[Ranking]:
    """Mean accuracy over the meta-training tasks, and gradient boosting on it.

    scores: zero-cost scores [N, S] of every task by name; seconds: of all of them, one student.
    """
    accuracy = [material.truth.mean for material in train]
    known = [_vectors(material) for material in train]
    both = [transfer.features(m.features, scores[m.task.name]) for m in train]
    for test in tests:
        name = test.task.name
        mean = mean_accuracy.score(_vectors(test), known, accuracy)
        yield Ranking("mean accuracy of meta-train tasks", "no KD", name, mean[None], 0.0)
        mine = transfer.features(test.features, scores[name])
        found = transfer.score(mine, both, accuracy)
        yield Ranking("boosting on zero-cost scores", "no KD", name, found[None], seconds)
        plain = transfer.score(test.features, [m.features for m in train], accuracy)
        yield Ranking("boosting on architecture", "no KD", name, plain[None], 0.0)


def _vectors(material: Material) -> np.ndarray[Any, np.dtype[np.float32]]:
    return material.space.vectors(material.task.specs)


def changed(config: MetaTrainConfig, changes: Mapping[str, Any]) -> MetaTrainConfig:
    """A meta-training with some settings changed; those of `encodings` one by one.

    UserError for an unknown setting, or one that does not fit.
    """
    raw = config.model_dump()
    for name, value in changes.items():
        raw[name] = raw[name] | value if isinstance(value, Mapping) else value
    return MetaTrainConfig.parse(raw, "the ablation")


class Embedded:
    """Inputs of tasks, encoded once for all encodings that differ in switches alone."""

    def __init__(self, store: Store, space: Space, folder: Path, watcher: Watcher) -> None:
        self.store, self.space, self.folder, self.watcher = store, space, folder, watcher
        self.made: dict[tuple[str, str], TaskRuns] = {}

    def runs(self, tasks: Sequence[TaskLedger], want: Encodings) -> list[TaskRuns]:
        """The tasks' inputs as `want` sees them."""
        have = widest(want, get_args(Signal))
        key = content_hash(have)
        missing = [task for task in tasks if (task.name, key) not in self.made]
        if missing:
            self._embed(missing, have, key)
        return [narrowed(self.made[t.name, key], self.space, have, want) for t in tasks]

    def _embed(self, tasks: Sequence[TaskLedger], have: Encodings, key: str) -> None:
        self.watcher.phase("encoding students", sum(len(task.specs) for task in tasks))
        folder, done = self.folder / key[:16], 0
        folder.mkdir(exist_ok=True)
        for task in tasks:
            before = done

            def step(n: int, before: int = before, name: str = task.name) -> None:
                self.watcher.step(before + n, name)

            self.made[task.name, key] = embed(self.store, task, self.space, have, folder, step)
            done += len(task.specs)


def ablation(
    name: str,
    config: MetaTrainConfig,
    embedded: Embedded,
    groups: tuple[Sequence[TaskLedger], Sequence[TaskLedger], Sequence[TaskLedger]],
    watcher: Watcher,
) -> list[Ranking]:
    """Meta-trains by a changed configuration and ranks the test tasks.

    groups: the tasks of meta-training, of validation and of the test.
    """
    train, validation, tests = (embedded.runs(tasks, config.encodings) for tasks in groups)
    watcher.phase(f"meta-training {name!r} (episodes)", config.episodes)
    found = meta_train(
        train, validation, config,
        lambda done, best: watcher.step(done, f"best validation Spearman {best:.3f}"),
    )  # fmt: skip
    return [ours.ranking(found.predictor, runs, 0.0, name, "ablation") for runs in tests]
