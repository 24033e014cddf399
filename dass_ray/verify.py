"""Choosing the students that are really distilled, and the runs that do it."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple

import numpy as np
import pyarrow as pa

from dass_ray.actors.scorer import Support
from dass_ray.config import SearchConfig
from dass_ray.cost import sample_within
from dass_ray.predictor.scorer import Scored
from dass_ray.records import Run, RunRow
from dass_ray.searches import Choice, Role, Round, SearchCard
from dass_ray.space import Spec


def shares(top: int, rounds: int) -> list[int]:
    """How many top students each round distils: equally many, or one more in the first rounds."""
    return [top // rounds + (i < top % rounds) for i in range(rounds)]


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


def unverified(batches: Sequence[pa.Table], chosen: Sequence[Choice]) -> list[Spec]:
    """The different candidates within the limits that were not chosen yet, as they were scored."""
    table = pa.concat_tables(batches)
    within = dict.fromkeys(table.filter(table["feasible"])["spec"].to_pylist())
    taken = {choice.spec for choice in chosen}
    return [Spec.parse(text) for text in within if text not in taken]


def support(chosen: Sequence[Choice], rows: Mapping[str, RunRow]) -> Support:
    """What the verified students reached on validation: the mean over their runs that ended well.

    rows: of all their runs, by key. A student without such a run is left out.
    """
    found = []
    for choice in chosen:
        ended = [rows[key].validation for key in choice.keys]
        if reached := [value for value in ended if value is not None]:
            found.append((Spec.parse(choice.spec), sum(reached) / len(reached)))
    return tuple(found)


def best(specs: Sequence[Spec], scored: Scored, n: int) -> tuple[list[Spec], Scored]:
    """The n students of the highest prediction, best first, with their columns.

    ValueError where a score is not a number.
    """
    if not np.isfinite(scored.predicted).all():
        raise ValueError("the predictor gave a score that is not a number")
    ranked = sorted(range(len(specs)), key=lambda i: (-scored.predicted[i], str(specs[i])))[:n]
    columns = (column[ranked] for column in astuple(scored))
    return [specs[i] for i in ranked], Scored(*columns)


def runs(card: SearchCard, spec: str) -> list[Run]:
    """The KD runs that verify one student: one for each seed."""
    return [
        Run(teacher=card.teacher, spec=spec, recipe=card.config.kd, seed=seed)
        for seed in card.config.verify.seeds
    ]


def choices(
    card: SearchCard, number: int, top: Sequence[Spec], random: Sequence[Spec], scored: Scored
) -> Round:
    """The record of a round, by its number from 1.

    scored: the columns of the top students, then those of the random ones.
    """
    roles: list[Role] = ["top" for _ in top]
    roles += ["random" for _ in random]
    return Round(
        students=tuple(
            Choice(
                spec=str(spec),
                role=role,
                round=number,
                predicted=scored.predicted[i],
                uncertainty=scored.uncertainty[i],
                params=scored.params[i],
                flops=scored.flops[i],
                keys=tuple(run.key for run in runs(card, str(spec))),
            )
            for i, (spec, role) in enumerate(zip([*top, *random], roles, strict=True))
        )
    )
