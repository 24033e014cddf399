"""The main job: from a data set and limits to verified students, each stage from the store.

Every stage first looks at what the store has, so the same call goes on where it was stopped.
"""

import time
from collections.abc import Sequence

from dass_ray import __version__, latencies, searches, tracking
from dass_ray.actors import scorer
from dass_ray.actors.data_parallel import check_divides
from dass_ray.actors.session import ray_session
from dass_ray.collect import train_teachers
from dass_ray.config import ELSEWHERE, CollectConfig, SearchConfig
from dass_ray.data.builtin import resolve
from dass_ray.data.card import DatasetCard
from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.kd.teachers import advice, known_card
from dass_ray.limits import Costs
from dass_ray.predictor import checkpoint
from dass_ray.records import TeacherCard
from dass_ray.rounds import Rounds
from dass_ray.searches import Budget, Finished, SearchCard
from dass_ray.store import open_store
from dass_ray.store.base import Store
from dass_ray.tracking.base import Facts
from dass_ray.watch import Clock, Silent, Watcher

BY_TEACHER = {"network"}  # what the teacher's fingerprint says


def search(config: SearchConfig, watcher: Watcher | None = None) -> str:
    """Runs a search to its end and returns its identity in the store.

    UserError for bad input, before anything is trained where that can be known.
    """
    watcher, clock = watcher or Silent(), Clock()
    store = open_store(config.store)
    data = resolve(store, config.dataset).card
    costs = costs_of(store, config, len(data.classes))
    config.limits.check(costs)
    check_divides(config.kd, data.counts["train"], config.resources.workers_per_run)
    named = named_teachers(store, config, data)
    predictor, _ = checkpoint.load(store, config.predictor, config.space)
    track = tracking.chosen(config.track)
    watcher.phase("starting Ray", 1)
    with ray_session(config.address):
        watcher.step(1, "")
        scorer.count(config.resources, 1)
        with clock.phase("teacher"):
            teachers = named or train_teachers(CollectConfig.of_teacher(config), watcher)
        card = _card(store, config, teachers, predictor.identity)
        with tracking.job(track, config.tracking, card.id, _facts(card)) as job:
            Rounds(store, config, card, costs, watcher, clock, job).run()
    searches.write_finished(store, card, Finished(finished_at=time.time(), seconds=clock.seconds))
    return card.id


def _facts(card: SearchCard) -> Facts:
    """What trackers know of a search."""
    kept = ("dataset", "sampler", "candidates", "batch", "seed", "limits", "objectives", "verify")
    config = card.config.model_dump(mode="json", include=set(kept))
    told = {name: value if isinstance(value, int) else str(value) for name, value in config.items()}
    teachers = ", ".join(teacher.id for teacher in card.teachers)
    return told | {"teacher": teachers, "predictor": card.predictor}


def costs_of(store: Store, config: SearchConfig, classes: int) -> Costs:
    """What students cost, with their latency where the config names a table."""
    if config.latency is None:
        return Costs(config.space, classes)
    table = latencies.load(store, config.latency)
    table.check(config.space)
    return Costs(config.space, classes, table)


def named_teachers(store: Store, config: SearchConfig, data: DatasetCard) -> list[TeacherCard]:
    """The teachers that the config names; none where its recipe makes the only one."""
    names = config.teachers or ((config.teacher_id,) if config.teacher_id else ())
    cards = [_fitting(known_card(store, name), config, data) for name in names]
    known: dict[str, str] = {}
    for card in cards:
        if (twin := known.setdefault(card.fingerprint, card.id)) != card.id:
            raise UserError(
                f"the teachers {twin} and {card.id} have the same weights: leave one of them away"
            )
    return cards


def _fitting(card: TeacherCard, config: SearchConfig, data: DatasetCard) -> TeacherCard:
    """A teacher that students of the search can learn from; UserError otherwise."""
    if card.dataset_fingerprint != data.fingerprint:
        raise UserError(
            f"teacher {card.id} knows {card.dataset!r} with {len(card.classes)} classes, not "
            f"{data.name!r} with {len(data.classes)}: choose one from `dass-ray teacher list`"
        )
    if card.space != config.space:
        raise UserError(
            f"teacher {card.id} is of the space {card.space.name!r}, not {config.space.name!r}: "
            "set space to its own, or choose one from `dass-ray teacher list`"
        )
    if card.near_chance:
        raise UserError(advice(card))
    return card


def identity(config: SearchConfig, teachers: Sequence[TeacherCard], predictor: str) -> str:
    """The search's name, or its data set and a hash of all that decides its result but its budget.

    So a search goes on where its budget is raised.
    """
    if config.name:
        return config.name
    decides = _apart_from_budget(config).model_dump(
        mode="json", exclude=ELSEWHERE | BY_TEACHER | {"name"}
    )
    hashed = content_hash(decides, *(card.fingerprint for card in teachers), predictor)
    return f"{config.dataset.replace(':', '-')}-{hashed[:8]}"


def _apart_from_budget(config: SearchConfig) -> SearchConfig:
    return Budget(candidates=1, top=1, rounds=1).within(config)


def _card(
    store: Store, config: SearchConfig, teachers: Sequence[TeacherCard], predictor: str
) -> SearchCard:
    new = SearchCard(
        id=identity(config, teachers, predictor),
        config=config,
        teacher=teachers[0],
        predictor=predictor,
        started_at=time.time(),
        code_version=__version__,
        others=tuple(teachers[1:]),
    )
    searches.write_object(store, new, f"searches/{new.id}/card.json")
    there = searches.card(store, new.id)
    check_same(there, config, teachers, predictor)
    return searches.extend(store, there, Budget.of(config))


def check_same(
    there: SearchCard, config: SearchConfig, teachers: Sequence[TeacherCard], predictor: str
) -> None:
    """UserError where the search in the store is another one. teachers: none where it is new."""
    if (
        _decides(there.config) != _decides(config)
        or _fingerprints(there.teachers) != _fingerprints(teachers)
        or there.predictor != predictor
    ):
        raise UserError(
            f"the store has another search called {there.id!r}, with other settings: "
            "choose another name"
        )


def _fingerprints(teachers: Sequence[TeacherCard]) -> list[str]:
    return [teacher.fingerprint for teacher in teachers]


def _decides(config: SearchConfig) -> dict[str, object]:
    return _apart_from_budget(config).model_dump(exclude=ELSEWHERE | BY_TEACHER)
