"""What the methods are judged on: a test task with its network, images, students and runs."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dass_ray.cost import cost
from dass_ray.data.builtin import resolve
from dass_ray.data.shown import normalised
from dass_ray.evaluation.rankings import Floats, Truth
from dass_ray.kd.teachers import load_net
from dass_ray.models.network import StagedNetwork, build
from dass_ray.models.remap import remap
from dass_ray.predictor.tasks import TaskLedger
from dass_ray.space import Space
from dass_ray.store.base import Store
from dass_ray.watch import Watcher
from dass_ray.zero_cost.catalogue import SCORES

Clock = Callable[[], float]


@dataclass(frozen=True)
class Material:
    """A task of the store, ready to be ranked by any method. space: the predictor's."""

    store: Store
    task: TaskLedger
    space: Space
    images: int

    @property
    def truth(self) -> Truth:
        """Real KD of the task."""
        found = cost(self.space, self.task.specs, len(self.task.card.classes))
        return Truth(self.task.name, self.task.accuracy, found.params)

    @cached_property
    def features(self) -> Floats:
        """[N, F + 2]: spec vectors and log costs."""
        found = cost(self.space, self.task.specs, len(self.task.card.classes))
        logs = np.log(np.stack([found.params, found.flops], axis=1))
        vectors = self.space.vectors(self.task.specs).astype(np.float64)
        return np.concatenate([vectors, logs], axis=1)

    @cached_property
    def teacher(self) -> StagedNetwork:
        """The task's teacher, on the host."""
        return load_net(self.store, self.task.card)

    def zero_cost(self, watcher: Watcher, clock: Clock) -> tuple[Floats, Floats]:
        """All scores of `catalogue.SCORES` for all students [N, S], and seconds for each [S]."""
        data = resolve(self.store, self.task.card.dataset)
        data = data.resized(self.task.card.space.image_size)
        images, labels = normalised(data, self.images)
        students = self.space.unpack(self.task.specs)
        scores, seconds = np.empty((len(students), len(SCORES))), np.zeros(len(SCORES))
        for i, spec in enumerate(students):
            net = remap(self.teacher, build(self.teacher.space, spec, self.teacher.classes))
            for j, score in enumerate(SCORES.values()):
                started = clock()
                scores[i, j] = score(net.eval(), self.teacher, images, labels)
                seconds[j] += clock() - started
            watcher.step(i + 1, str(spec))
        return scores, seconds / len(students)
