"""Proposing candidates with Optuna, in batches, from and to a store of scored batches.

The store is the truth: a study is rebuilt from the batches that are there, so a search that was
killed goes on with at most the batches in flight lost.
"""

from collections.abc import Iterable

import numpy as np
import optuna
import pyarrow as pa
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from dass_ray.config import SearchConfig
from dass_ray.cost import Cost, Limits, sample_within
from dass_ray.predictor.scorer import Scored
from dass_ray.space import Spec

_GENERATION = NSGAIISampler._get_generation_key()


class Explorer:
    """An Optuna study over the student space that asks and tells whole batches.

    config: sampler, objectives, limits, batch and seed; classes: outputs of the students' head.
    """

    def __init__(self, config: SearchConfig, classes: int) -> None:
        self.config, self.space, self.limits = config, config.space, config.limits
        self.distributions = self.space.distributions()
        self.study = optuna.create_study(
            sampler=_sampler(config, 0),
            directions=["maximize" if o == "accuracy" else "minimize" for o in config.objectives],
        )
        rng = np.random.default_rng(config.seed)
        self.starts = sample_within(self.space, self.limits, classes, config.batch, rng)
        self.replayed = 0  # batches

    def ask(self, n: int) -> tuple[list[optuna.Trial], list[Spec]]:
        """n open trials and their students; the first ones of a study meet the limits."""
        starts = self.starts[:n] if not self.study.trials else []
        for spec in starts:
            self.study.enqueue_trial(dict(self.space.to_params(spec)))
        trials = [self.study.ask(dict(self.distributions)) for _ in range(n)]
        for trial in trials[: len(starts)]:  # otherwise NSGA-II leaves them out of its population
            trial.storage.set_trial_system_attr(trial._trial_id, _GENERATION, 0)
        return trials, [self.space.from_params(trial.params) for trial in trials]

    def tell(self, trials: Iterable[optuna.Trial], scored: Scored) -> None:
        """Tells every value of a batch; ValueError where a score is not a number."""
        if not np.isfinite(scored.predicted).all():
            raise ValueError("the predictor gave a score that is not a number")
        costs = Cost(scored.params, scored.flops)
        columns = {"accuracy": scored.predicted, "params": scored.params, "flops": scored.flops}
        values = np.stack([columns[name] for name in self.config.objectives], axis=1)
        for trial, excess, value in zip(
            trials, self.limits.excess(costs), values.tolist(), strict=True
        ):
            for name, amount in zip(Limits.model_fields, excess, strict=True):
                trial.set_constraint(name, amount)
            self.study.tell(trial, value)

    def replay(self, batch: pa.Table) -> None:
        """Adds a scored batch of an earlier process to the study, as one generation."""
        columns = {"accuracy": "predicted", "params": "params", "flops": "flops"}
        costs = Cost(batch["params"].to_numpy(), batch["flops"].to_numpy())
        for row, excess in zip(batch.to_pylist(), self.limits.excess(costs).tolist(), strict=True):
            self.study.add_trial(
                create_trial(
                    params=dict(self.space.to_params(Spec.parse(row["spec"]))),
                    distributions=dict(self.distributions),
                    values=[row[columns[name]] for name in self.config.objectives],
                    constraints=dict(zip(Limits.model_fields, excess, strict=True)),
                    system_attrs={_GENERATION: self.replayed},
                    state=TrialState.COMPLETE,
                )
            )
        self.replayed += 1
        self.study.sampler = _sampler(self.config, self.replayed)  # new draws, not the same again


def _sampler(config: SearchConfig, replayed: int) -> BaseSampler:
    seed = (config.seed + 7919 * replayed) % 2**32
    match config.sampler:
        case "nsga2":  # a population is a batch, so that a generation is one too
            return NSGAIISampler(population_size=max(2, config.batch), seed=seed)
        case "tpe":
            return TPESampler(seed=seed)
        case "random":
            return RandomSampler(seed=seed)
