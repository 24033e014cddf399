"""Ways of choosing which of a task's recorded students to distil next.

A strategy is called with what it has seen so far, {student: validation accuracy}, and answers the
number of a student that it has not seen. Letters: N students.
"""

import importlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal, get_args

import numpy as np
from optuna.samplers import BaseSampler

from dass_ray.config import SearchConfig
from dass_ray.cost import Cost
from dass_ray.errors import UserError
from dass_ray.explore.archive import Candidates
from dass_ray.explore.study import Explorer
from dass_ray.limits import Costs
from dass_ray.replay.recorded import Floats, RecordedTask

Seen = Mapping[int, float]
Strategy = Callable[[Seen], int]
Factory = Callable[[RecordedTask, int], Strategy]
"""(task, seed of the repeat) -> a strategy; what `module:name` of a user's own must be."""

Sampler = Literal["guided", "nsga2", "tpe", "random"]
SAMPLERS: tuple[Sampler, ...] = get_args(Sampler)
NEW = 32  # proposals whose nearest students are all known, before the nearest unknown one is taken


def by_score(scores: Floats) -> Strategy:
    """From the highest score [N] to the lowest."""
    order = np.argsort(-scores, kind="stable").tolist()
    return lambda seen: next(i for i in order if i not in seen)


class Sampled:
    """A sampler of Optuna, or ours, that is told the accuracy of the recorded student nearest to
    what it proposes: of those that differ in the fewest blocks, the one of the nearest widths.

    A student that it has seen already is told again and costs no run.
    """

    def __init__(
        self, task: RecordedTask, seed: int, name: Sampler, other: BaseSampler | None = None
    ) -> None:
        self.task = task
        config = SearchConfig(
            dataset="recorded", space=task.space, objectives=("accuracy",), batch=1, seed=seed,
            sampler=name,
        )  # fmt: skip
        self.explorer = Explorer(config, Costs(task.space, task.classes))
        if other is not None:
            self.explorer.study.sampler = other
        self.waiting: tuple[Any, int] | None = None  # a trial, and the student it stands for

    def __call__(self, seen: Seen) -> int:
        """The student nearest to the sampler's next proposal that leads to a new one."""
        if self.waiting is not None:
            self._tell(*self.waiting, seen)
        for proposal in range(NEW):
            trials, specs = self.explorer.ask(1)
            distance = np.abs(self.task.vectors - self.task.space.vectors(specs)).sum(axis=1)
            if proposal == NEW - 1:
                distance[list(seen)] = np.inf
            nearest = int(distance.argmin())
            if nearest not in seen:
                break
            self._tell(trials, nearest, seen)
        self.waiting = trials, nearest
        return nearest

    def _tell(self, trials: Any, student: int, seen: Seen) -> None:  # noqa: ANN401 - Optuna's
        one = np.array([student])
        cost: Cost = self.task.cost.at(one)
        accuracy = np.array([seen[student]])
        found = Candidates(self.task.specs[one], accuracy, np.zeros(1), cost)
        self.explorer.tell(trials, found)


def factory(name: str) -> Factory:
    """The strategy of a name: a sampler, a recorded score, or `module:name` of a user's own.

    UserError where `module:name` cannot be imported; a score that a task lacks is one when the
    strategy is made.
    """
    if ":" in name:
        return _own(name)
    for sampler in SAMPLERS:
        if name == sampler:
            return partial(Sampled, name=sampler)
    return lambda task, _seed: by_score(_scores(task, name))


def names(task: RecordedTask) -> list[str]:
    """All that need no code of a user's own."""
    return [*SAMPLERS, "parameters", "FLOPs", *task.scores]


def _scores(task: RecordedTask, name: str) -> Floats:
    found = {"parameters": task.cost.params, "FLOPs": task.cost.flops, **task.scores}
    if name not in found:
        raise UserError(
            f"{task.name} has no {name!r}: choose of {', '.join(names(task))}, or name your own "
            "as module:function"
        )
    return np.asarray(found[name], np.float64)


def _own(name: str) -> Factory:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise UserError(f"cannot import {name!r}: {error}") from None
    if isinstance(found, type) and issubclass(found, BaseSampler):
        return lambda task, seed: Sampled(task, seed, "random", found(seed=seed))
    own: Factory = found
    return own
