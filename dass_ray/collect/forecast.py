"""What a collect would do, from the store alone: no Ray, no training, nothing written."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dass_ray import ledger, plan
from dass_ray.config import CollectConfig, TeacherConfig
from dass_ray.cost import cost
from dass_ray.data.card import DatasetCard, find_card, read_card
from dass_ray.data.naming import is_built_in, stored_name
from dass_ray.kd import teachers
from dass_ray.keys import KeySet
from dass_ray.pace import Measured, Pace, load
from dass_ray.recipe import KDRecipe
from dass_ray.records import TeacherCard, teacher_id
from dass_ray.store.base import Store


@dataclass(frozen=True)
class TaskForecast:
    """One task: its runs, those of them that the store has, and how long the others should take.

    teacher: None where it is to be trained, which is part of the seconds. seconds: on one slot of
    the measured device; None where nothing is measured.
    """

    dataset: str
    seed: int
    teacher: TeacherCard | None
    runs: int
    done: int
    seconds: float | None

    @property
    def near_chance(self) -> bool:
        """Whether the teacher is known to have learned nothing."""
        return self.teacher is not None and self.teacher.near_chance


@dataclass(frozen=True)
class Forecast:
    """The tasks of a plan, and on which device how many runs were measured; "" where none."""

    tasks: list[TaskForecast]
    device: str
    measured: int


@dataclass(frozen=True)
class Known:
    """What a store knows of the cost of runs, and rows by which it has them.

    typical: training images where a data set is not made yet. measured: None without finished runs.
    """

    rows: pa.Table
    typical: int
    measured: Measured | None

    @classmethod
    def of(cls, store: Store, cards: Iterable[DatasetCard | None]) -> Self:
        """From all runs. cards: of the data sets that are asked about, as far as they are there."""
        names = ["key", "dataset", "recipe", "flops", "seconds", "status", "device"]
        rows = ledger.read(store, names)
        stored = [find_card(store, name) for name in rows["dataset"].unique().to_pylist()]
        images = {card.name: card.counts["train"] for card in (*stored, *cards) if card}
        typical = round(sum(images.values()) / len(images)) if images else 0
        return cls(rows, typical, Measured.of(rows, images))


def forecast(config: CollectConfig, store: Store, *, retry_failed: bool = False) -> Forecast:
    """Looks up what is there.

    UserError for an unknown data set, and where the space has too few students.
    """
    cards = {name: known_data(store, name) for name in dict.fromkeys(config.datasets)}
    known = Known.of(store, cards.values())
    rows, measured = known.rows, known.measured
    if retry_failed:
        rows = rows.filter(pc.not_equal(rows["status"], "failed"))
    look = _Look(config, store, KeySet.of(rows["key"]), measured.pace if measured else None)
    tasks = [
        look.task(name, card, known.typical, seed)
        for name, card in cards.items()
        for seed in dict.fromkeys(config.teacher_seeds)
    ]
    if measured is None:
        return Forecast(tasks, "", 0)
    return Forecast(tasks, measured.device, measured.pace.measured)


@dataclass(frozen=True)
class _Look:
    """What a task's forecast is made of."""

    config: CollectConfig
    store: Store
    done: KeySet
    pace: Pace | None

    def task(self, name: str, data: DatasetCard | None, typical: int, seed: int) -> TaskForecast:
        """typical: training images where the data set is not made yet."""
        config = self.config
        teacher = self._teacher(data, seed)
        runs, images = plan.size(config, 1), data.counts["train"] if data else typical
        parts = list(self._left(name, data, teacher))
        left = sum(count * len(flops) for _, flops, count in parts)
        if self.pace is None:
            return TaskForecast(stored_name(name), seed, teacher, runs, runs - left, None)
        seconds = sum(
            count * float(self.pace.seconds(load(recipe, images, flops)).sum())
            for recipe, flops, count in parts
        )
        if teacher is None:
            seconds += teacher_seconds(self.pace, config, images)
        return TaskForecast(stored_name(name), seed, teacher, runs, runs - left, seconds)

    def _teacher(self, data: DatasetCard | None, seed: int) -> TeacherCard | None:
        if data is None:
            return None
        config = self.config
        identity = teacher_id(data.fingerprint, config.space, config.teacher, seed, config.network)
        return teachers.find_card(self.store, identity)

    def _left(
        self, name: str, data: DatasetCard | None, teacher: TeacherCard | None
    ) -> Iterator[tuple[KDRecipe, NDArray[np.int64], int]]:
        """Recipe, FLOPs of students that are to run, and with how many seeds each."""
        if teacher is not None:
            for block in plan.missing(plan.blocks(self.config, [teacher]), self.done):
                yield block.recipe, block.flops, 1
            return
        # Without the teacher's weights no run has a key, so that the store can have none.
        space, classes = self.config.space, len(data.classes) if data else 1
        specs = plan.students(self.config, stored_name(name))
        flops = cost(space, space.pack(specs), classes).flops
        for recipe in dict.fromkeys(self.config.kd):
            yield recipe, flops, len(set(self.config.kd_seeds))


def teacher_seconds(pace: Pace, config: CollectConfig | TeacherConfig, images: int) -> float:
    """How long the training of the largest network of a space should take."""
    space = config.space
    largest = cost(space, space.pack([space.teacher]), classes=1).flops
    return float(pace.seconds(load(config.teacher, images, largest)).sum())


def known_data(store: Store, name: str) -> DatasetCard | None:
    """The card of a data set; None for a built-in one that the store does not have yet.

    UserError for an unknown one, with the nearest names.
    """
    if is_built_in(name):
        return find_card(store, stored_name(name))
    return read_card(store, name)
