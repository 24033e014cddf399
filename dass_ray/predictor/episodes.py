"""Episodes: which tasks, which query and which support students. Drawn from (seed, episode) alone,
so that a resumed training sees the same ones. Letters: T tasks, Q queries, K support students.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dass_ray.config import MetaTrainConfig
from dass_ray.predictor.adapt import Support
from dass_ray.predictor.encode import Students
from dass_ray.predictor.model import Units, in_support, joined, log_odds
from dass_ray.predictor.network import Batch, Network, Tasks
from dass_ray.predictor.runs import TaskRuns


@dataclass(frozen=True)
class Episode:
    """Some tasks of one episode: what they adapt to, and queries with targets [T, Q]."""

    support: Support
    queries: Batch
    targets: Tensor


class Episodes:
    """Draws the episodes of a meta-training."""

    def __init__(self, train: Sequence[TaskRuns], config: MetaTrainConfig, net: Network) -> None:
        self.train, self.config, self.net = train, config, net
        self.tasks = min(config.tasks, len(train))
        self.queries = min(config.queries, max(len(runs.accuracy) for runs in train))
        self.centres, self.units = _units(train, config)

    def draw(self, episode: int, chunk: int) -> list[Episode]:
        """The episode's tasks, in chunks of `chunk`."""
        rng = np.random.default_rng([self.config.seed, episode])
        chosen = rng.choice(len(self.train), self.tasks, replace=False)
        support = int(rng.integers(self.config.support + 1))
        drawn = [self._draw(int(task), support, rng) for task in chosen]
        return [self._stack(drawn[i : i + chunk]) for i in range(0, len(drawn), chunk)]

    def _draw(
        self, task: int, support: int, rng: np.random.Generator
    ) -> tuple[int, Tensor, Tensor]:
        """A task, its support students and its queries; again the same where it has fewer."""
        n = len(self.train[task].accuracy)
        order = torch.from_numpy(rng.permutation(n))
        given = min(support, n // 2)
        first = order[:given][torch.arange(support) % given] if given else order[:0]
        return task, first, order[given:][torch.arange(self.queries) % (n - given)]

    def _stack(self, drawn: Sequence[tuple[int, Tensor, Tensor]]) -> Episode:
        runs = [self.train[task] for task, _, _ in drawn]
        support = [self._support(task, chosen) for task, chosen, _ in drawn]
        weights = [torch.full_like(targets, 1 / len(targets)) for _, targets in support]
        return Episode(
            Support(
                Tasks.of([r.task for r in runs]),
                Batch.of([students for students, _ in support]),
                torch.stack([targets for _, targets in support]),
                torch.stack(weights),
            ),
            Batch.of([r.students[query] for r, (_, _, query) in zip(runs, drawn, strict=True)]),
            torch.stack([self._targets(task, query) for task, _, query in drawn]),
        )

    def _support(self, task: int, chosen: Tensor) -> tuple[Students, Tensor]:
        runs, teacher = self.train[task], torch.tensor([self.units.offset])
        inputs = in_support(runs.task.teacher, self.net)
        targets = torch.cat([teacher, self._targets(task, chosen)])
        return joined(inputs, runs.students[chosen]), targets

    def _targets(self, task: int, chosen: Tensor) -> Tensor:
        centre, unit = self.centres[task]
        return (log_odds(self.train[task].accuracy[chosen]) - centre) / unit


def _units(
    train: Sequence[TaskRuns], config: MetaTrainConfig
) -> tuple[list[tuple[float, float]], Units]:
    """Zero and unit of each task's targets in log-odds, and what they mean on new tasks."""
    odds = [log_odds(runs.accuracy) for runs in train]
    teachers = [float(log_odds(torch.tensor(runs.task.accuracy))) for runs in train]
    units = [max(float(values.std()), 1e-6) for values in odds]
    scale = sum(units) / len(units)
    if config.normalise == "teacher":
        return [(teacher, scale) for teacher in teachers], Units(scale, 0.0)
    means = [float(values.mean()) for values in odds]
    offsets = [(t - m) / u for t, m, u in zip(teachers, means, units, strict=True)]
    return list(zip(means, units, strict=True)), Units(scale, sum(offsets) / len(offsets))
