"""The scorer actor: a predictor adapted to each of a search's teachers, which scores batches."""

import resource
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import ray
import torch

from dass_ray.actors import metrics
from dass_ray.actors.kd_worker import device
from dass_ray.actors.session import check_fits, has_gpus, room, slots
from dass_ray.config import Resources
from dass_ray.data.dataset import Dataset, load_dataset
from dass_ray.errors import UserError
from dass_ray.kd.teachers import load_net
from dass_ray.predictor import checkpoint
from dass_ray.predictor.memory import keep_freed_memory
from dass_ray.predictor.model import Predictor
from dass_ray.predictor.scorer import DTYPES, Scored, TaskScorer
from dass_ray.predictor.tasks import foreign_logits
from dass_ray.records import TeacherCard
from dass_ray.space import Spec, Specs
from dass_ray.store import open_store
from dass_ray.store.base import Store

CPUS, TRIAL_CPUS = 0.9, 0.05  # a scorer and the two Tune trials that feed it share one CPU
MOST = 32  # scorers that one driver can feed
RESTARTS = 3  # of an actor whose process or node was lost; its batch is then scored again

Support = tuple[tuple[Spec, float], ...]
"""Verified students of a task, each with its validation accuracy in [0, 1]."""
Supports = tuple[Support, ...]
"""The same for each of a search's teachers."""


class Scorer:
    """Loads predictor and teachers once, then scores one batch a call.

    teachers: one or more, of one data set and space.
    """

    failure: UserError | None = None

    def __init__(
        self, uri: str, predictor: str, teachers: Sequence[TeacherCard], precision: str
    ) -> None:
        torch.set_num_threads(1)  # one actor a CPU
        keep_freed_memory()
        self.seconds, self.space = 0.0, teachers[0].space
        self.scorers: list[TaskScorer] = []
        self.supports = [Support()] * len(teachers)
        try:
            self._load(uri, predictor, teachers, precision)
        except UserError as error:  # of a constructor, Ray makes an actor that died
            self.failure = error

    def _load(
        self, uri: str, predictor: str, teachers: Sequence[TeacherCard], precision: str
    ) -> None:
        store = open_store(uri, write=False, known=True)
        _, found = checkpoint.load(store, predictor, self.space)
        data = None
        if found.net.encodings.sees_images:
            data = load_dataset(store, teachers[0].dataset)
            data = data.resized(self.space.image_size).to(device())
        self.scorers = [
            _scorer(store, found, teacher, data, DTYPES[precision]) for teacher in teachers
        ]

    def score(self, specs: Specs, supports: Supports) -> tuple[Scored, ...]:
        """Scores students [N, S, D] for each teacher, adapted to it and to its support.

        Every call names its supports, since an actor that Ray restarted knows none. UserError where
        predictor, teachers or data set could not be loaded.
        """
        if self.failure:
            raise self.failure
        started = time.monotonic()
        for number, support in enumerate(supports):
            if support != self.supports[number]:
                self.readapt(number, support)
        found = tuple(scorer.score(specs) for scorer in self.scorers)
        spent = time.monotonic() - started
        self.seconds += spent
        metrics.add("scored", len(specs))
        metrics.add("score_seconds", spent)
        metrics.store_retries()
        return found

    def spent(self) -> tuple[float, float]:
        """Seconds in `score`, and the process's largest memory in GiB."""
        return self.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

    def readapt(self, number: int, support: Support) -> None:
        """Adapts anew to a teacher and to these students; without any, to the teacher alone."""
        accuracy = np.array([reached for _, reached in support], dtype=np.float64)
        self.scorers[number].readapt(self.space.pack([spec for spec, _ in support]), accuracy)
        self.supports[number] = support


def _scorer(
    store: Store,
    predictor: Predictor,
    teacher: TeacherCard,
    data: Dataset | None,
    dtype: torch.dtype,
) -> TaskScorer:
    net = load_net(store, teacher).to(device())
    soft = foreign_logits(store, teacher, predictor.net.encodings)
    soft = None if soft is None else soft.to(device())
    return TaskScorer(predictor, net, teacher.scored_as, data, dtype, soft)


def count(resources: Resources, batches: int) -> int:
    """How many scorers there are to be: as configured, or what the cluster has and batches need.

    UserError where the cluster has no CPU, or no GPU, for each, which would wait for ever.
    """
    on_cpus = {"num_cpus": CPUS + 2 * TRIAL_CPUS}
    check_fits(on_cpus)
    most = room(on_cpus)
    if has_gpus():  # no more nodes with GPUs are started for the minutes that scoring takes
        most = min(most, slots(_demand()))
    if resources.scorers is not None and resources.scorers > most:
        raise UserError(
            f"{resources.scorers} scorers need a CPU (and a GPU, where there are some) each: "
            f"lower resources.scorers to {most}"
        )
    if resources.scorers is not None:
        return resources.scorers
    return max(1, min(most, batches, MOST))


def _demand() -> dict[str, float]:
    """A whole GPU where there are some: nothing else runs on it while students are scored."""
    return {"num_cpus": CPUS} | ({"num_gpus": 1.0} if has_gpus() else {})


@contextmanager
def started(
    uri: str,
    predictor: str,
    teachers: Sequence[TeacherCard],
    precision: str,
    resources: Resources,
    batches: int,
) -> Iterator[list[Any]]:
    """Handles of scorer actors, on GPUs where there are some, for a while.

    The calls return at once; an actor that cannot be made fails at its first score. None of them
    outlives the block, so that distillation gets its CPU: a scorer that stayed would keep a
    machine's only one for ever, and to start it again costs seconds where a round takes minutes.
    """
    actor = ray.remote(max_restarts=RESTARTS, max_task_retries=RESTARTS, **_demand())(Scorer)
    actors = [
        actor.remote(uri, predictor, teachers, precision) for _ in range(count(resources, batches))
    ]
    metrics.put("scorers", len(actors))
    try:
        yield actors
    finally:
        metrics.put("scorers", 0)
        for handle in actors:
            ray.kill(handle)
