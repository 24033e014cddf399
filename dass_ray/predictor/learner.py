"""An ensemble under meta-training, one episode at a time."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dass_ray.config import MetaTrainConfig
from dass_ray.errors import UserError
from dass_ray.predictor.adapt import outer_gradient
from dass_ray.predictor.episodes import Episode, Episodes
from dass_ray.predictor.layers import Params
from dass_ray.predictor.losses import outer_loss
from dass_ray.predictor.model import Predictor
from dass_ray.predictor.network import Network
from dass_ray.predictor.runs import TaskRuns

CACHE = 2**22  # adapted weights of one chunk of tasks: 16 MiB


@dataclass(frozen=True)
class MetaTrained:
    """The best predictor, when it was found, and its Spearman on each validation task."""

    predictor: Predictor
    episode: int
    validation: dict[str, float]


class Learner:
    """An ensemble under meta-training: `step` is one episode."""

    def __init__(self, train: Sequence[TaskRuns], config: MetaTrainConfig) -> None:
        self.config = config
        self.net = Network.like(config.encodings, train[0].task, config.hidden)
        self.episodes = Episodes(train, config, self.net)
        generator = torch.Generator().manual_seed(config.seed)
        members = [self.net.new(generator) for _ in range(config.members)]
        self.params = {name: torch.stack([m[name] for m in members]) for name in members[0]}
        self.rates = {k: torch.full_like(v, config.inner_lr) for k, v in self.params.items()}
        self.optimizer = torch.optim.AdamW(
            [
                {"params": list(self.params.values()), "weight_decay": config.weight_decay},
                {"params": list(self.rates.values()), "weight_decay": 0.0},
            ],
            lr=config.lr, fused=True,
        )  # fmt: skip
        weights = sum(value.numel() for value in self.params.values())
        self.chunk = max(1, CACHE // weights)

    def step(self, episode: int) -> float:
        """One episode; returns its loss, a mean over members and tasks.

        UserError where that is no number.
        """
        total = torch.zeros(())
        gradients = [torch.zeros_like(v) for v in (*self.params.values(), *self.rates.values())]
        for part in self.episodes.draw(episode, self.chunk):
            value, *found = self.gradient(part)
            total += value
            for sums, more in zip(gradients, (v for g in found for v in g.values()), strict=True):
                sums.add_(more)
        if not torch.isfinite(total):
            raise UserError(f"meta-training diverged in episode {episode}: lower lr or inner_lr")
        for value, sums in zip(
            (*self.params.values(), *self.rates.values()), gradients, strict=True
        ):
            value.grad = sums
        self.optimizer.step()
        return float(total) / self.config.members

    def gradient(self, part: Episode) -> tuple[Tensor, Params, Params]:
        """Of the sum over members, so that each learns as if alone, and the mean over tasks."""
        c = self.config

        def loss(adapted: Params) -> Tensor:
            out = self.net(adapted, part.support.tasks, part.queries)
            each = outer_loss(out, part.targets, c.ranking, c.ranking_weight)
            return each.sum() / self.episodes.tasks

        return outer_gradient(
            self.net, self.params, self.rates, part.support, loss, c.inner_steps, c.adaptation
        )

    def predictor(self, params: Params | None = None, rates: Params | None = None) -> Predictor:
        """The ensemble as it is now, or with given weights and step sizes."""
        c = self.config
        return Predictor(
            c.space, self.net, params or copy(self.params), rates or copy(self.rates),
            self.episodes.units, c.adaptation, c.inner_steps, c.learning,
        )  # fmt: skip


def copy(group: Params) -> Params:
    """Weights that later steps do not change."""
    return {name: value.clone() for name, value in group.items()}
