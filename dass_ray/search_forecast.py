"""What a search would do, from the store alone: no Ray, no training, nothing written."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dass_ray import pipeline, rounds, searches
from dass_ray.actors.kd_worker import How
from dass_ray.collect.distilling import done_keys
from dass_ray.collect.forecast import Known, known_data, teacher_seconds
from dass_ray.config import SearchConfig
from dass_ray.data.card import DatasetCard
from dass_ray.errors import UserError
from dass_ray.kd.teachers import advice, find_card
from dass_ray.limits import Costs, sample_within
from dass_ray.pace import Pace, load
from dass_ray.predictor import checkpoint
from dass_ray.records import TeacherCard, teacher_id
from dass_ray.searches import Budget, Choice, Round, SearchCard
from dass_ray.store.base import Store

DRAWN = 256  # students within the limits that stand for those that are not chosen yet


@dataclass(frozen=True)
class Seconds:
    """Of the teacher and the KD runs, on one slot of a device, by so many measured runs.

    least, most: where each student that is not chosen yet is the cheapest, or the costliest, of
    random ones within the limits.
    """

    least: float
    most: float
    device: str
    measured: int


@dataclass(frozen=True)
class SearchForecast:
    """The plan of a search, and what of it the store has.

    config: with the budget that the search will have. data: None for a built-in set that is made
    first. teachers: none where the only one is to be trained. known: None where the search is not
    begun. students, runs: to be distilled in all, at most; done: of the runs. seconds: None where
    no run is measured.
    """

    config: SearchConfig
    data: DatasetCard | None
    teachers: Sequence[TeacherCard]
    predictor: str
    known: SearchCard | None
    scored: int
    students: int
    runs: int
    done: int
    seconds: Seconds | None


def forecast(config: SearchConfig, store: Store) -> SearchForecast:
    """Looks up what is there; UserError for what the search itself would refuse."""
    data = known_data(store, config.dataset)
    costs = pipeline.costs_of(store, config, len(data.classes) if data else 1)
    config.limits.check(costs)
    predictor = checkpoint.load(store, config.predictor, config.space)[0].identity
    teachers = _teachers(store, config, data)
    known = _begun(store, config, teachers, predictor)
    if known:
        config = Budget.of(known.config).raised(Budget.of(config)).within(config)
    earlier = searches.read_rounds(store, known.id) if known else []
    chosen = [choice for one in earlier for choice in one.students]
    new, seeds = _to_choose(config, earlier), len(config.verify.seeds)
    left = _left(store, chosen)
    return SearchForecast(
        config=config,
        data=data,
        teachers=teachers,
        predictor=predictor,
        known=known,
        scored=sum(map(len, searches.read_batches(store, known.id))) if known else 0,
        students=len(chosen) + new,
        runs=(len(chosen) + new) * seeds,
        done=len(chosen) * seeds - len(left),
        seconds=_seconds(store, config, data, costs, teachers, left, new * seeds),
    )


def _teachers(
    store: Store, config: SearchConfig, data: DatasetCard | None
) -> Sequence[TeacherCard]:
    if names := config.teachers or ((config.teacher_id,) if config.teacher_id else ()):
        if data is None:
            raise UserError(f"no teacher {names[0]!r}: {config.dataset!r} is not made yet")
        return pipeline.named_teachers(store, config, data)
    if data is None:
        return ()
    identity = teacher_id(
        data.fingerprint, config.space, config.teacher, config.teacher_seed, config.network
    )
    card = find_card(store, identity)
    if card and card.near_chance:
        raise UserError(advice(card))
    return (card,) if card else ()


def _begun(
    store: Store, config: SearchConfig, teachers: Sequence[TeacherCard], predictor: str
) -> SearchCard | None:
    """The search itself, where the store has it; without its teacher it has no identity yet."""
    name = pipeline.identity(config, teachers, predictor) if teachers else config.name
    if name is None or name not in searches.ids(store):
        return None
    card = searches.card(store, name)
    pipeline.check_same(card, config, teachers, predictor)
    return card


def _to_choose(config: SearchConfig, earlier: Sequence[Round]) -> int:
    """How many students rounds that are still to come choose, at most."""
    if rounds.share(config, earlier) is None:
        return 0
    top = sum(choice.role == "top" for one in earlier for choice in one.students)
    new = max(0, config.verify.top - top) or config.verify.top  # more candidates: the new best
    return new + (0 if earlier else config.verify.random)


def _left(store: Store, chosen: Sequence[Choice]) -> list[int]:
    """FLOPs of the student of every run that is to be done for chosen students."""
    keys = [key for choice in chosen for key in choice.keys]
    flops = [choice.flops for choice in chosen for _ in choice.keys]
    done = done_keys(store, How(keep_weights=True)).holds(keys)
    return [each for each, there in zip(flops, done.tolist(), strict=True) if not there]


def _seconds(
    store: Store,
    config: SearchConfig,
    data: DatasetCard | None,
    costs: Costs,
    teachers: Sequence[TeacherCard],
    left: Sequence[int],
    new: int,
) -> Seconds | None:
    """left: FLOPs of runs whose students are chosen; new: runs of others."""
    known = Known.of(store, [data])
    if known.measured is None:
        return None
    pace, images = known.measured.pace, data.counts["train"] if data else known.typical
    fixed = 0.0 if teachers else teacher_seconds(pace, config, images)
    fixed += float(_of_runs(pace, config, images, np.array(left, np.int64)).sum())
    drawn = sample_within(costs, config.limits, DRAWN, np.random.default_rng(config.seed))
    each = _of_runs(pace, config, images, costs(config.space.pack(drawn)).flops)
    least, most = (fixed + new * float(end) for end in (each.min(), each.max()))
    return Seconds(least, most, known.measured.device, pace.measured)


def _of_runs(
    pace: Pace, config: SearchConfig, images: int, flops: NDArray[np.int64]
) -> NDArray[np.float64]:
    return pace.seconds(load(config.kd, images, flops))
