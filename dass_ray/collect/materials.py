"""References to what tasks share in Ray's object store: data sets, teachers and soft labels.

Made once for a task, sent by Ray once to each node, and let go in the order of their last use, so
that all together stay within a bound.
"""

from collections import Counter
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from dass_ray.actors import kd_worker
from dass_ray.actors.nodes import Nodes
from dass_ray.actors.pool import Later
from dass_ray.cost import cost
from dass_ray.data.card import DatasetCard, read_card
from dass_ray.data.mapped import is_large
from dass_ray.records import Run
from dass_ray.store.base import Store

GIB = 2**30


@dataclass
class _Held:
    """A reference, how large its object is, and how many shards in flight use it."""

    ref: Any
    size: int
    users: int = 0


class Materials:
    """The three references that each shard is given; `limit`: bytes of all objects together."""

    def __init__(self, store: Store, demand: dict[str, float], limit: float, nodes: Nodes) -> None:
        self.store, self.limit = store, limit
        self.held: dict[Hashable, _Held] = {}  # the longest unused first
        self.cards: dict[str, DatasetCard] = {}
        self.losses: Counter[Hashable] = Counter()
        host = {"num_cpus": demand["num_cpus"]}
        self.data = kd_worker.remote(kd_worker.load_data, host, nodes)
        self.teacher = kd_worker.remote(kd_worker.load_teacher, host, nodes)
        self.labels = kd_worker.remote(kd_worker.make_soft_labels, demand, nodes)

    def images(self, dataset: str) -> int:
        """Training images of a data set."""
        return self.card(dataset).counts["train"]

    def card(self, dataset: str) -> DatasetCard:
        """The card of a data set, read once."""
        if dataset not in self.cards:
            self.cards[dataset] = read_card(self.store, dataset)
        return self.cards[dataset]

    def acquire(self, run: Run) -> tuple[Any, Any, Any]:
        """References to data, teacher and soft labels of a run, to be released when it is done.

        Later where they do not fit beside those that are in use.
        """
        sizes = self._sizes(run)
        more = sum(size for key, size in sizes.items() if key not in self.held)
        self._let_go(more, keep=set(sizes))
        total = sum(held.size for held in self.held.values())
        if total + more > self.limit and any(held.users for held in self.held.values()):
            raise Later
        for key, size in sizes.items():
            held = self.held.pop(key, None) or _Held(self._make(key, run), size)
            held.users += 1
            self.held[key] = held  # now the newest
        data, teacher, labels = (self.held[key].ref for key in sizes)
        return data, teacher, labels

    def release(self, run: Run) -> None:
        """A shard of the run's task is done."""
        for key in self._sizes(run):
            if key in self.held:  # made anew since, it may have fewer users than were counted
                self.held[key].users = max(0, self.held[key].users - 1)

    def lost(self, run: Run) -> int:
        """What a run needs is gone and will be made anew; how often that has happened."""
        key = (run.teacher.id, run.recipe)
        self.losses[key] += 1
        self.forget(run)
        return self.losses[key]

    def forget(self, run: Run) -> None:
        """What a run needs will be made anew."""
        for part in self._sizes(run):
            self.held.pop(part, None)

    def _make(self, key: Hashable, run: Run) -> Any:  # noqa: ANN401 - a reference of Ray
        card = run.teacher
        data, teacher, _ = self._sizes(run)
        if key == data:
            return self.data(self.store.uri, card.dataset, card.space.image_size)
        if key == teacher:
            return self.teacher(self.store.uri, card)
        refs = self.held[data].ref, self.held[teacher].ref
        return self.labels(self.store.uri, card, run.recipe, *refs)

    def _sizes(self, run: Run) -> dict[Hashable, int]:
        """Keys of data, teacher and soft labels, in this order, and bytes of each."""
        card, counts = run.teacher, self.card(run.teacher.dataset).counts
        space, n = card.space, counts["train"]
        pixels = 3 * space.image_size**2
        params = int(cost(space, space.pack([space.teacher]), len(card.classes)).params[0])
        held = sum(counts.values()) * (pixels + 8)
        shown = min(run.recipe.views, run.recipe.epochs_for(n))
        return {
            ("data", card.dataset, space.image_size): 0 if is_large(held) else held,
            ("teacher", card.id): 4 * params,
            ("labels", card.id, run.recipe): 2 * shown * n * len(card.classes),
        }

    def _let_go(self, more: int, keep: set[Hashable]) -> None:
        """Forgets the longest unused until `more` bytes fit, or nothing unused is left."""
        total = sum(held.size for held in self.held.values())
        for key, held in list(self.held.items()):
            if total + more <= self.limit:
                return
            if not held.users and key not in keep:
                total -= self.held.pop(key).size
