"""Choosing the students that are really distilled, and the runs that do it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from dass_ray.config import SearchConfig
from dass_ray.cost import sample_within
from dass_ray.predictor.scorer import Scored
from dass_ray.records import Run
from dass_ray.searches import Choice, Choices, Role, SearchCard
from dass_ray.space import Spec


def best_predicted(batches: Sequence[pa.Table], n: int) -> list[Spec]:
    """The n different students within the limits of the highest prediction, best first."""
    table = pa.concat_tables(batches)
    feasible = table.filter(table["feasible"])
    predicted = dict(
        zip(feasible["spec"].to_pylist(), feasible["predicted"].to_pylist(), strict=True)
    )
    ranked = sorted(predicted, key=lambda text: (-predicted[text], text))
    return [Spec.parse(text) for text in ranked[:n]]


def drawn_at_random(config: SearchConfig, classes: int, taken: Sequence[Spec]) -> list[Spec]:
    """`verify.random` different students within the limits, none of them in `taken`."""
    n = config.verify.random
    rng = np.random.default_rng([config.seed, 1])  # not the stream of the explorer's starts
    drawn = sample_within(config.space, config.limits, classes, n + len(taken), rng)
    return [spec for spec in drawn if spec not in taken][:n]


def runs(card: SearchCard, spec: str) -> list[Run]:
    """The KD runs that verify one student: one for each seed."""
    return [
        Run(teacher=card.teacher, spec=spec, recipe=card.config.kd, seed=seed)
        for seed in card.config.verify.seeds
    ]


def choices(
    card: SearchCard, top: Sequence[Spec], random: Sequence[Spec], scored: Scored
) -> Choices:
    """The record of the chosen students; `scored` has the top ones' columns, then the random's."""
    roles: list[Role] = ["top" for _ in top]
    roles += ["random" for _ in random]
    return Choices(
        students=tuple(
            Choice(
                spec=str(spec),
                role=role,
                predicted=scored.predicted[i],
                uncertainty=scored.uncertainty[i],
                params=scored.params[i],
                flops=scored.flops[i],
                keys=tuple(run.key for run in runs(card, str(spec))),
            )
            for i, (spec, role) in enumerate(zip([*top, *random], roles, strict=True))
        )
    )
