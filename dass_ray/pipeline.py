"""The main job: from a data set and limits to verified students, each stage from the store.

Every stage first looks at what the store has, so the same call goes on where it was stopped.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from dass_ray import __version__, rounds, searches
from dass_ray.actors import scorer
from dass_ray.actors.session import ray_session
from dass_ray.collect import train_teachers
from dass_ray.config import CollectConfig, SearchConfig
from dass_ray.data.builtin import resolve
from dass_ray.data.card import DatasetCard
from dass_ray.errors import UserError
from dass_ray.frozen import content_hash
from dass_ray.kd.teachers import advice, known_card
from dass_ray.predictor import checkpoint
from dass_ray.records import TeacherCard
from dass_ray.search import explore
from dass_ray.searches import Finished, SearchCard
from dass_ray.store import open_store
from dass_ray.store.base import Store
from dass_ray.watch import Silent, Watcher


def search(config: SearchConfig, watcher: Watcher | None = None) -> str:
    """Runs a search to its end and returns its identity in the store.

    UserError for bad input, before anything is trained where that can be known.
    """
    watcher, clock = watcher or Silent(), _Clock()
    store = open_store(config.store)
    data = resolve(store, config.dataset).card
    config.limits.check(config.space, len(data.classes))
    predictor, _ = checkpoint.load(store, config.predictor, config.space)
    watcher.phase("starting Ray", 1)
    with ray_session(config.address):
        watcher.step(1, "")
        scorer.check(config.resources)
        with clock.phase("teacher"):
            teacher = _teacher(store, config, data, watcher)
        card = _card(store, config, teacher, f"{predictor.name} {predictor.fingerprint[:12]}")
        scorers = scorer.started(store.uri, config.predictor, teacher, config.resources)
        with clock.phase("explore"), scorers as actors:
            watcher.phase("scoring candidates", config.candidates)
            explore(
                store, card, actors,
                lambda done, _, best: watcher.step(done, f"best predicted {best:.1%}"),
            )  # fmt: skip
            rounds.first(store, card, actors)
        with clock.phase("verify"):
            rounds.verify_all(store, config, card, watcher)
    end = Finished(finished_at=time.time(), seconds=clock.seconds)
    searches.write_object(store, end, f"searches/{card.id}/finished.json")
    return card.id


class _Clock:
    """Wall time by phase, in seconds."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measures what happens inside."""
        started = time.monotonic()
        yield
        self.seconds[name] = time.monotonic() - started


def _teacher(
    store: Store, config: SearchConfig, data: DatasetCard, watcher: Watcher
) -> TeacherCard:
    """The teacher that the config names, or the one that its recipe makes."""
    if config.teacher_id is None:
        (card,) = train_teachers(CollectConfig.of_teacher(config), watcher)
        return card
    card = known_card(store, config.teacher_id)
    if card.dataset_fingerprint != data.fingerprint:
        raise UserError(
            f"teacher {card.id} knows {card.dataset!r} with {len(card.classes)} classes, not "
            f"{data.name!r} with {len(data.classes)}: choose one from `dass-ray teacher list`"
        )
    if card.space != config.space:
        raise UserError(f"teacher {card.id} is of the space {card.space.name!r}: set space to it")
    if card.near_chance:
        raise UserError(advice(card))
    return card


def identity(config: SearchConfig, teacher: TeacherCard, predictor: str) -> str:
    """The search's name, or its data set and a hash of all that decides its result."""
    if config.name:
        return config.name
    decides = config.model_dump(mode="json", exclude={"store", "address", "resources", "name"})
    hashed = content_hash(decides, teacher.fingerprint, predictor)
    return f"{config.dataset.replace(':', '-')}-{hashed[:8]}"


def _card(store: Store, config: SearchConfig, teacher: TeacherCard, predictor: str) -> SearchCard:
    card = SearchCard(
        id=identity(config, teacher, predictor),
        config=config,
        teacher=teacher,
        predictor=predictor,
        started_at=time.time(),
        code_version=__version__,
    )
    there = searches.write_object(store, card, f"searches/{card.id}/card.json")
    elsewhere = {"store", "address", "resources"}
    if (
        there.config.model_dump(exclude=elsewhere) != config.model_dump(exclude=elsewhere)
        or there.teacher.fingerprint != teacher.fingerprint
        or there.predictor != predictor
    ):
        raise UserError(
            f"the store has another search called {card.id!r}, with other settings: "
            "choose another name"
        )
    return there
