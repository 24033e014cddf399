"""Choosing the students that are really distilled, and the runs that do it."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import norm

from dass_ray.actors.scorer import Support, Supports
from dass_ray.config import Choosing, Objective, SearchConfig
from dass_ray.explore.archive import Candidates
from dass_ray.explore.front import is_front, order
from dass_ray.ledger.scan import Condition
from dass_ray.limits import Costs, sample_within
from dass_ray.recipe import KDRecipe
from dass_ray.records import Run, TeacherCard
from dass_ray.searches import Choice, Role, Round, SearchCard
from dass_ray.space import Space, Spec

DIVERSE_AMONG = 8  # times the students wanted, by prediction, are what diverse ones come from


def choose(
    how: Choosing,
    space: Space,
    some: Candidates,
    objectives: Sequence[Objective],
    n: int,
    reached: float | None,
) -> NDArray[np.int64]:
    """The n of different candidates that are worth a distillation, as indices, best first.

    reached: the best validation accuracy of a verified student, in [0, 1], if there is one.
    ValueError where a score is not a number.
    """
    if not np.isfinite(some.predicted).all():
        raise ValueError("the predictor gave a score that is not a number")
    match how:
        case "top":
            return top(some)[:n]
        case "diverse":
            return diverse(space, some, n)
        case "front":
            return front(some, objectives, n)
        case "improvement":
            known = float(some.predicted.max(initial=0)) if reached is None else reached
            ranked: NDArray[np.int64] = np.argsort(-improvement(some, known), kind="stable")
            return ranked[:n]


def top(some: Candidates) -> NDArray[np.int64]:
    """All candidates by their prediction, the highest first; the smaller of equal ones first."""
    ranked: NDArray[np.int64] = np.lexsort((some.cost.params, -some.predicted))
    return ranked


def diverse(space: Space, some: Candidates, n: int) -> NDArray[np.int64]:
    """The highest prediction, then each time the one that is least like those chosen before.

    Among the `DIVERSE_AMONG * n` highest. Source: farthest-point clustering, Gonzalez, 1985; by the
    distance of relative widths, where a block that does not exist is 0.
    """
    among = top(some)[: DIVERSE_AMONG * n]
    places = space.vectors(some.specs[among])
    chosen = [0] if len(among) else []
    nearest = np.full(len(among), np.inf)
    while 0 < len(chosen) < min(n, len(among)):
        apart = np.linalg.norm(places - places[chosen[-1]], axis=1)
        nearest = np.minimum(nearest, apart)
        nearest[chosen] = -1
        chosen.append(int(nearest.argmax()))
    found: NDArray[np.int64] = among[chosen]
    return found


def front(some: Candidates, objectives: Sequence[Objective], n: int) -> NDArray[np.int64]:
    """Candidates spread over the front of the objectives, then over what is behind it."""
    values = some.minimised(objectives)
    first = np.flatnonzero(is_front(values))
    if len(first) <= n:
        return order(values, np.zeros(len(some)), n)
    along = first[np.argsort(values[first, 0], kind="stable")]
    spread: NDArray[np.int64] = along[np.linspace(0, len(along) - 1, n).round().astype(int)]
    return spread


def improvement(some: Candidates, reached: float) -> NDArray[np.float64]:
    """Expected improvement [N] on an accuracy, if scores err by their standard deviations.

    Source: Jones et al., "Efficient Global Optimization", 1998.
    """
    std = np.maximum(some.uncertainty, 1e-9)
    z = (some.predicted - reached) / std
    expected: NDArray[np.float64] = std * (z * norm.cdf(z) + norm.pdf(z))
    return expected


def drawn_at_random(config: SearchConfig, costs: Costs, taken: Sequence[Spec]) -> list[Spec]:
    """`verify.random` different students within the limits, none of them in `taken`."""
    n = config.verify.random
    rng = np.random.default_rng([config.seed, 1])  # not the stream of the explorer's starts
    drawn = sample_within(costs, config.limits, n + len(taken), rng)
    return [spec for spec in drawn if spec not in taken][:n]


def of_task(teacher: TeacherCard, recipe: KDRecipe) -> list[Condition]:
    """What tells the finished runs of a task and recipe, whoever made them."""
    return [
        ("teacher_fingerprint", "==", teacher.fingerprint),
        ("dataset_fingerprint", "==", teacher.dataset_fingerprint),
        ("recipe", "==", recipe.model_dump_json()),
        ("status", "==", "ok"),
    ]


def known(runs: pa.Table) -> Support:
    """The students of finished runs, by spec, with the mean of their validation accuracies."""
    means = runs.group_by("spec").aggregate([("validation", "mean")]).sort_by("spec")
    specs = [Spec.parse(text) for text in means["spec"].to_pylist()]
    return tuple(zip(specs, means["validation_mean"].to_pylist(), strict=True))


def runs(card: SearchCard, spec: str, teacher: str | None = None) -> list[Run]:
    """The KD runs that verify one student: one for each seed; teacher: as a Choice names it."""
    return [
        Run(teacher=card.named(teacher), spec=spec, recipe=card.config.kd, seed=seed)
        for seed in card.config.verify.seeds
    ]


def choices(
    card: SearchCard, number: int, role: Role, some: Candidates, teachers: NDArray[np.int64]
) -> list[Choice]:
    """The records of students that a round distils, by its number from 1.

    teachers: the number [N] of the one that each is distilled from, in the card's order.
    """
    specs = [str(spec) for spec in card.config.space.unpack(some.specs)]
    latency, names = some.cost.latency, [card.names[number] for number in teachers]
    return [
        Choice(
            spec=spec,
            role=role,
            round=number,
            predicted=some.predicted[i],
            uncertainty=some.uncertainty[i],
            params=some.cost.params[i],
            flops=some.cost.flops[i],
            latency=None if latency is None else latency[i],
            keys=tuple(run.key for run in runs(card, spec, names[i])),
            teacher=names[i],
        )
        for i, spec in enumerate(specs)
    ]


def best_reached(
    rounds: Sequence[Round], names: Sequence[str | None], supports: Supports
) -> float | None:
    """The best validation accuracy of a student that was chosen in a round; None without one.

    names: of the teachers of `supports`, as a Choice has them.
    """
    chosen = {(choice.spec, choice.teacher) for one in rounds for choice in one.students}
    known = [
        reached
        for name, support in zip(names, supports, strict=True)
        for spec, reached in support
        if (str(spec), name) in chosen
    ]
    return max(known, default=None)
