"""From a store's runs to a predictor in the store: read, encode, meta-train, commit."""

from collections.abc import Sequence
from pathlib import Path

from dass_ray.config import MetaTrainConfig
from dass_ray.frozen import content_hash
from dass_ray.predictor import checkpoint
from dass_ray.predictor.checkpoint import PredictorCard
from dass_ray.predictor.memory import keep_freed_memory
from dass_ray.predictor.meta_train import meta_train
from dass_ray.predictor.resume import StoreStates
from dass_ray.predictor.runs import TaskRuns
from dass_ray.predictor.tasks import TaskLedger, embed, task_ledgers
from dass_ray.store.base import Store
from dass_ray.watch import Watcher


def make(
    store: Store, config: MetaTrainConfig, command: str, folder: Path, watcher: Watcher
) -> PredictorCard:
    """Meta-trains the predictor of a configuration; goes on where an earlier call was stopped.

    folder: for the students' inputs, which may go afterwards; command: for the card.
    UserError where a data set has no runs, the name is taken or the training diverges.
    """
    checkpoint.check_name(store, config.name)
    train, validation = (
        task_ledgers(store, names, config.space, config.without_teachers)
        for names in (config.train, config.validation)
    )
    every = _embedded(store, [*train, *validation], config, folder, watcher)
    keep_freed_memory()
    watcher.phase("meta-training (episodes)", config.episodes)
    states = StoreStates(store, _identity(config, [*train, *validation]))
    found = meta_train(
        every[: len(train)], every[len(train) :], config,
        lambda done, best: watcher.step(done, f"best validation Spearman {best:.3f}"), states,
    )  # fmt: skip
    sizes = {task.name: len(task.specs) for task in train}
    card = checkpoint.save(store, found, config, sizes, command)
    states.clear()
    return card


def _embedded(
    store: Store,
    tasks: Sequence[TaskLedger],
    config: MetaTrainConfig,
    folder: Path,
    watcher: Watcher,
) -> list[TaskRuns]:
    watcher.phase("encoding students", sum(len(task.specs) for task in tasks))
    out, done = [], 0
    for task in tasks:
        out.append(embed(store, task, config.space, config.encodings, folder))
        done += len(task.specs)
        watcher.step(done, task.name)
    return out


def _identity(config: MetaTrainConfig, tasks: Sequence[TaskLedger]) -> str:
    """Hash of all that decides the result: settings, teachers, students and accuracies."""
    decides = config.model_dump(mode="json", exclude={"store", "address", "resources", "name"})
    runs = [
        [task.card.fingerprint, task.specs.tobytes().hex(), task.accuracy.tobytes().hex()]
        for task in tasks
    ]
    return content_hash("meta-train", decides, runs)
