"""Proposing candidates with Optuna, in batches, from and to a store of scored batches.

The store is the truth: a study is rebuilt from the batches that are there, so a search that was
killed goes on with at most the batches in flight lost.
"""

from collections.abc import Sequence

import numpy as np
import optuna
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler
from optuna.trial import TrialState, create_trial

from dass_ray.config import SearchConfig
from dass_ray.explore.archive import MAXIMISED, Archive, Candidates
from dass_ray.explore.guided import Guided
from dass_ray.explore.variables import Blocks, Stages, Variables
from dass_ray.limits import Costs, Limits, sample_within
from dass_ray.space import Specs

_GENERATION = NSGAIISampler._get_generation_key()


class Explorer:
    """An Optuna study over the student space that asks and tells whole batches.

    config: sampler, objectives, limits, batch and seed.
    """

    def __init__(self, config: SearchConfig, costs: Costs) -> None:
        self.config, self.space, self.costs = config, config.space, costs
        self.limits, self.archive = config.limits, Archive()
        guided = config.sampler == "guided"
        staged = guided and Stages.number(self.space)
        self.variables: Variables = Stages(self.space) if staged else Blocks(self.space)
        self.study = optuna.create_study(
            sampler=self._sampler(0),
            directions=[
                "maximize" if name in MAXIMISED else "minimize" for name in config.objectives
            ],
        )
        rng = np.random.default_rng(config.seed)
        starts = sample_within(costs, self.limits, config.batch, rng)
        self.starts = self.space.pack(starts)
        self.replayed = 0  # batches

    def ask(self, n: int) -> tuple[list[optuna.Trial], Specs]:
        """n open trials and their students; the first ones of a study meet the limits."""
        starts = self.starts[:n] if not self.study.trials else self.starts[:0]
        for params in self.variables.params(starts):
            self.study.enqueue_trial(dict(params))
        trials = [self.study.ask(dict(self.variables.distributions)) for _ in range(n)]
        for trial in trials[: len(starts)]:  # otherwise NSGA-II leaves them out of its population
            trial.storage.set_trial_system_attr(trial._trial_id, _GENERATION, 0)
        specs = self.variables.specs([trial.params for trial in trials])
        self.archive.ask(specs)
        return trials, specs

    def tell(self, trials: Sequence[optuna.Trial], scored: Candidates) -> None:
        """Tells every value of a batch; ValueError where a score is not a number."""
        if not np.isfinite(scored.predicted).all():
            raise ValueError("the predictor gave a score that is not a number")
        self.archive.add(scored)
        for trial, constraints, value in zip(trials, *self._told(scored), strict=True):
            for name, amount in constraints.items():
                trial.set_constraint(name, amount)
            self.study.tell(trial, value)

    def replay(self, scored: Candidates) -> None:
        """Adds a scored batch of an earlier process to the study, as one generation."""
        self.archive.add(scored)
        params = self.variables.params(scored.specs)
        for row, constraints, value in zip(params, *self._told(scored), strict=True):
            self.study.add_trial(
                create_trial(
                    params=dict(row),
                    distributions=dict(self.variables.distributions),
                    values=value,
                    constraints=constraints,
                    system_attrs={_GENERATION: self.replayed},
                    state=TrialState.COMPLETE,
                )
            )
        self.replayed += 1
        self.study.sampler = self._sampler(self.replayed)  # new draws, not the same again

    def _told(self, scored: Candidates) -> tuple[list[dict[str, float]], list[list[float]]]:
        """What Optuna hears of each candidate: its constraints and its values."""
        names = list(Limits.model_fields)
        excess = self.limits.excess(scored.cost).tolist()
        values: list[list[float]] = scored.objectives(self.config.objectives).tolist()
        return [dict(zip(names, row, strict=True)) for row in excess], values

    def _sampler(self, replayed: int) -> BaseSampler:
        config = self.config
        seed = (config.seed + 7919 * replayed) % 2**32
        match config.sampler:
            case "guided":
                return Guided(
                    self.variables, self.costs, self.limits, config.objectives, self.archive,
                    config.batch, seed,
                )  # fmt: skip
            case "nsga2":  # a population is a batch, so that a generation is one too
                return NSGAIISampler(population_size=max(2, config.batch), seed=seed)
            case "tpe":
                return TPESampler(seed=seed)
            case "random":
                return RandomSampler(seed=seed)
