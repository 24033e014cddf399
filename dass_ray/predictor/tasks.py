"""From the run ledger to what the predictor learns from and is judged by.

Letters: N students, K KD seeds, S stages, D blocks.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray
from torch import Tensor

from dass_ray import ledger
from dass_ray.config import Encodings
from dass_ray.cost import cost
from dass_ray.data.builtin import resolve
from dass_ray.data.card import find_card as find_dataset
from dass_ray.data.card import read_card
from dass_ray.data.shown import shown
from dass_ray.errors import UserError
from dass_ray.kd.foreign_teachers import logits_of
from dass_ray.kd.teachers import find_card, list_teachers, load_net
from dass_ray.predictor.encode import Students, TaskEncoder
from dass_ray.predictor.runs import TaskRuns
from dass_ray.recipe import KDRecipe
from dass_ray.records import TeacherCard
from dass_ray.space import Space, Spec, Specs
from dass_ray.store.base import Store

FEWEST = 3  # students of a task, below which a rank correlation says nothing
CHUNK = 1024  # students encoded at once
OnStudents = Callable[[int], None]
"""(students of the task encoded so far)."""


@dataclass(frozen=True)
class TaskLedger:
    """The finished runs of one task by one recipe, as the store has them.

    specs [N, S, D] in the predictor's space; accuracy [K, N]: validation accuracy after the last
    epoch, in [0, 1], NaN where a student lacks a seed; seconds: mean of one run.
    """

    card: TeacherCard
    recipe: KDRecipe
    specs: Specs
    accuracy: NDArray[np.float64]
    seconds: float

    @property
    def name(self) -> str:
        """Data set and teacher."""
        return f"{self.card.dataset}/{self.card.id[:8]}"

    @property
    def mean(self) -> NDArray[np.float64]:
        """[N]: over the seeds that there are."""
        mean: NDArray[np.float64] = np.nanmean(self.accuracy, axis=0)
        return mean


def task_ledgers(
    store: Store, datasets: Sequence[str], space: Space, without: Sequence[str] = ()
) -> list[TaskLedger]:
    """The tasks on these data sets, by teacher, each by the recipe that most students have.

    Runs that diverged are left out. `without`: identities of teachers to leave out.
    UserError where a data set has fewer than three students of this space.
    """
    every = all_ledgers(store, datasets, space, without)
    out: list[TaskLedger] = []
    for name in datasets:
        mine = [task for task in every if task.card.dataset == name.replace(":", "-")]
        if not mine and (twin := _same_content(store, name)):
            raise UserError(
                f"{name!r} is the same data set as {twin!r}, by which its runs are known: name that"
            )
        if not mine:
            raise UserError(
                f"{store.uri} has fewer than {FEWEST} finished runs of {name!r} in the space "
                f"{space.name!r}: run `dass-ray collect` with it first"
            )
        best: dict[str, TaskLedger] = {}
        for task in mine:
            there = best.get(task.card.id)
            if there is None or _weight(task) > _weight(there):
                best[task.card.id] = task
        out += best.values()
    return out


def _same_content(store: Store, name: str) -> str | None:
    """The data set for which teachers of this one were trained, if it has another name."""
    known = find_dataset(store, name.replace(":", "-"))
    names = (
        card.dataset for card in list_teachers(store)
        if known and card.dataset_fingerprint == known.fingerprint
    )  # fmt: skip
    return next((other for other in names if other != name.replace(":", "-")), None)


def _weight(task: TaskLedger) -> tuple[int, int, int]:
    return len(task.specs), task.recipe.epochs, task.recipe.min_steps


def all_ledgers(
    store: Store, datasets: Sequence[str], space: Space, without: Sequence[str] = ()
) -> list[TaskLedger]:
    """All tasks on these data sets with at least three students, by teacher and recipe."""
    columns = ["dataset", "teacher", "recipe", "spec", "seed", "status", "validation", "seconds"]
    table = ledger.read(store, columns)
    names = pa.array([name.replace(":", "-") for name in datasets])
    table = table.filter(
        pc.and_(pc.equal(table["status"], "ok"), pc.is_in(table["dataset"], names))
    )
    return list(_grouped(store, table, space, without))


def _grouped(
    store: Store, table: pa.Table, space: Space, without: Sequence[str]
) -> Iterator[TaskLedger]:
    groups = table.group_by(["teacher", "recipe"]).aggregate([]).to_pylist()
    for group in sorted(groups, key=lambda g: (g["teacher"], g["recipe"])):
        if group["teacher"] in without:
            continue
        card = find_card(store, group["teacher"])
        assert card is not None  # a run's row is written after its teacher's card
        if not space.holds(card.space):
            continue
        of_group = pc.and_(
            pc.equal(table["teacher"], group["teacher"]), pc.equal(table["recipe"], group["recipe"])
        )
        task = _task(card, group["recipe"], table.filter(of_group), space)
        if len(task.specs) >= FEWEST:
            yield task


def _task(card: TeacherCard, recipe: str, runs: pa.Table, space: Space) -> TaskLedger:
    texts, row = np.unique(runs["spec"].to_numpy(), return_inverse=True)
    seeds, column = np.unique(runs["seed"].to_numpy(), return_inverse=True)
    accuracy = np.full((len(seeds), len(texts)), np.nan)
    accuracy[column, row] = runs["validation"].to_numpy()
    return TaskLedger(
        card,
        KDRecipe.model_validate(json.loads(recipe)),
        space.pack([Spec.parse(text) for text in texts]),
        accuracy,
        float(np.mean(runs["seconds"].to_numpy())),
    )


def encoder(store: Store, card: TeacherCard, space: Space, encodings: Encodings) -> TaskEncoder:
    """The encoder of a teacher in the store, on the host."""
    data = None
    if encodings.sees_images:
        data = resolve(store, card.dataset).resized(card.space.image_size)
    net, soft = load_net(store, card), foreign_logits(store, card, encodings)
    return TaskEncoder(net, card.scored_as, space, encodings, data, soft=soft)


def foreign_logits(store: Store, card: TeacherCard, encodings: Encodings) -> Tensor | None:
    """The logits [images, K] of a teacher from elsewhere that students are compared with.

    On the training images that the signals look at; None where no signal needs them.
    """
    if card.foreign is None or "kl" not in encodings.signals:
        return None
    data = read_card(store, card.dataset)
    labelled = data.counts["train"] - data.unlabelled
    return logits_of(store, card, shown(labelled, encodings.images))


def embed(
    store: Store,
    task: TaskLedger,
    space: Space,
    encodings: Encodings,
    folder: Path,
    on_students: OnStudents | None = None,
) -> TaskRuns:
    """The inputs of a task's students, computed in chunks and memory-mapped from files in `folder`.

    So memory does not grow with the number of runs; the folder may go when the result does.
    """
    encode = encoder(store, task.card, space, encodings)
    files: dict[str, NDArray[np.float32]] = {}
    for start in range(0, len(task.specs), CHUNK):
        found = encode.students(task.specs[start : start + CHUNK])
        for name, part in vars(found).items():
            if name not in files:
                path = folder / f"{task.card.id}-{name}.npy"
                shape = (len(task.specs), *part.shape[1:])
                files[name] = _mapped(path, shape)
            files[name][start : start + len(part)] = part.numpy()
        if on_students:
            on_students(min(start + CHUNK, len(task.specs)))
    return TaskRuns(
        task.name,
        encode.task,
        Students(**{name: torch.from_numpy(array) for name, array in files.items()}),
        torch.from_numpy(task.mean).float(),
        cost(space, task.specs, len(task.card.classes)),
    )


def _mapped(path: Path, shape: tuple[int, ...]) -> NDArray[np.float32]:
    if 0 in shape:  # an input that is switched off; an empty file cannot be mapped
        return np.zeros(shape, np.float32)
    mapped: NDArray[np.float32] = np.lib.format.open_memmap(path, "w+", np.float32, shape)
    return mapped
