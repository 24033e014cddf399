"""Meta-training: an ensemble learns, over many tasks at once, to rank students of new ones.

Bilevel: an inner step on each task's teacher, then the squared error on its query students,
through the inner step (second order). Members and tasks are one `vmap`.
Letters: M members, T tasks, Q queries. Source: Lee et al., ICLR 2023.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy.stats import spearmanr
from torch import Tensor
from torch.func import functional_call, stack_module_state, vmap

from dass_ray.config import MetaTrainConfig
from dass_ray.cost import Cost
from dass_ray.errors import UserError
from dass_ray.predictor.encode import Students, Task
from dass_ray.predictor.model import Network, Params, Predictor, adapt, log_odds

OnProgress = Callable[[int, float], None]
"""(episodes done, best mean Spearman on the validation tasks so far)."""


@dataclass(frozen=True)
class TaskRuns:
    """The finished runs of one task: inputs and costs of N students, accuracies [N] in [0, 1]."""

    name: str
    task: Task
    students: Students
    accuracy: Tensor
    costs: Cost


@dataclass(frozen=True)
class MetaTrained:
    """The best predictor, when it was found, and its Spearman on each validation task."""

    predictor: Predictor
    episode: int
    validation: dict[str, float]


def meta_train(
    train: Sequence[TaskRuns],
    validation: Sequence[TaskRuns],
    config: MetaTrainConfig,
    on_progress: OnProgress | None = None,
) -> MetaTrained:
    """Meta-trains an ensemble; the best checkpoint by mean Spearman on the validation tasks.

    UserError where the loss stops being finite.
    """
    net, params, rates = _start(train[0], config)
    scale = float(torch.stack([log_odds(runs.accuracy).std() for runs in train]).mean())
    episodes = _Episodes(train, scale, config)
    optimizer = torch.optim.Adam([*params.values(), *rates.values()], lr=config.lr)
    best: MetaTrained | None = None
    for episode in range(1, config.episodes + 1):
        loss = episodes.loss(net, params, rates)
        if not torch.isfinite(loss):
            raise UserError(f"meta-training diverged in episode {episode}: lower lr or inner_lr")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if episode % config.validate_every and episode != config.episodes:
            continue
        found = _snapshot(net, params, rates, scale, episode, validation)
        if best is None or _mean(found) > _mean(best):
            best = found
        if on_progress:
            on_progress(episode, _mean(best))
        if episode - best.episode >= config.patience:
            break
    assert best is not None
    return best


def _mean(found: MetaTrained) -> float:
    return sum(found.validation.values()) / len(found.validation)


def _start(runs: TaskRuns, config: MetaTrainConfig) -> tuple[Network, Params, Params]:
    channels, vector = runs.students.maps.shape[1], runs.students.vectors.shape[1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        nets = [Network(channels, vector, config.hidden) for _ in range(config.members)]
    params, _ = stack_module_state(nets)
    rates = {name: torch.full_like(value, config.inner_lr) for name, value in params.items()}
    for value in (*params.values(), *rates.values()):
        value.requires_grad_()
    skeleton = copy.deepcopy(nets[0]).to("meta")
    return skeleton, params, rates


class _Episodes:
    """Draws query students and computes the outer loss over all members and tasks."""

    def __init__(self, train: Sequence[TaskRuns], scale: float, config: MetaTrainConfig) -> None:
        self.train, self.scale, self.members = train, scale, config.members
        self.queries = min(config.queries, max(len(runs.accuracy) for runs in train))
        self.generator = torch.Generator().manual_seed(config.seed)
        self.teachers = Students(
            torch.stack([runs.task.teacher.maps for runs in train]),
            torch.stack([runs.task.teacher.vectors for runs in train]),
        )

    def loss(self, net: Network, params: Params, rates: Params) -> Tensor:
        """Mean squared error of adapted members on fresh queries; members learn side by side."""
        maps, vectors, targets = self._draw()

        def task(
            p: Params, r: Params, t_maps: Tensor, t_vectors: Tensor, maps: Tensor,
            vectors: Tensor, target: Tensor,
        ) -> Tensor:  # fmt: skip
            inner = adapt(net, p, r, Students(t_maps, t_vectors))
            out: Tensor = functional_call(net, inner, (maps, vectors, t_maps))
            return (out - target).square().mean()

        over_tasks = vmap(task, in_dims=(None, None, 0, 0, 0, 0, 0))
        over_members = vmap(over_tasks, in_dims=(0, 0, None, None, None, None, None))
        losses: Tensor = over_members(
            params, rates, self.teachers.maps, self.teachers.vectors, maps, vectors, targets
        )
        return losses.mean(dim=1).sum()  # a sum over members: each learns as if alone

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        """Queries of every task: maps [T, Q, ...], vectors [T, Q, F], targets [T, Q]."""
        drawn = []
        for runs in self.train:
            n = len(runs.accuracy)
            order = torch.randperm(n, generator=self.generator)
            chosen = order[torch.arange(self.queries) % n]  # again, where a task has fewer
            teacher = log_odds(torch.tensor(runs.task.accuracy))
            target = (log_odds(runs.accuracy[chosen]) - teacher) / self.scale
            students = runs.students[chosen]
            drawn.append((students.maps, students.vectors, target))
        maps, vectors, targets = zip(*drawn, strict=True)
        return torch.stack(maps), torch.stack(vectors), torch.stack(targets)


def _snapshot(
    net: Network,
    params: Params,
    rates: Params,
    scale: float,
    episode: int,
    validation: Sequence[TaskRuns],
) -> MetaTrained:
    predictor = Predictor(net, _copy(params), _copy(rates), scale)
    return MetaTrained(predictor, episode, {r.name: spearman(predictor, r) for r in validation})


def _copy(group: Params) -> Params:
    return {name: value.detach().clone() for name, value in group.items()}


def spearman(predictor: Predictor, runs: TaskRuns) -> float:
    """Rank correlation of predicted and real accuracy over the students of one task.

    0 where all scores or all accuracies are equal: that ranks nothing.
    """
    scores = predictor.adapted(runs.task).score(runs.students).mean
    if min(len(scores.unique()), len(runs.accuracy.unique())) == 1:
        return 0.0
    return float(spearmanr(scores.numpy(), runs.accuracy.numpy()).statistic)
