"""Every way under every limit; what each chose is committed, then distilled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from dass_ray import ledger, searches
from dass_ray.actors.kd_worker import demand
from dass_ray.actors.session import ray_session, slots
from dass_ray.collect import distil_all
from dass_ray.config import CompareConfig, SearchConfig
from dass_ray.contest import ways
from dass_ray.data.builtin import resolve
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.kd.teachers import load_net
from dass_ray.limits import Limits
from dass_ray.pipeline import costs_of, search
from dass_ray.records import RunRow
from dass_ray.searches import SearchCard
from dass_ray.space import Spec
from dass_ray.store import open_store
from dass_ray.store.base import Store
from dass_ray.verify import runs
from dass_ray.watch import Prefixed, Silent, Watcher
from dass_ray.zero_cost.catalogue import SCORES

MOST = 8  # times as many runs as ours has, for the search by KD, where runs are very short
OURS, RANDOM, KD = "predictor", "random", "search by KD"


class Chosen(Frozen):
    """What a way chose. seconds: of choosing, on one core, without any distillation."""

    specs: tuple[str, ...]
    seconds: float


@dataclass(frozen=True)
class Entry:
    """A way under one limit. Accuracies [N] are means over KD seeds, in the order of choice."""

    way: str
    limits: Limits
    params: tuple[int, ...]
    validation: tuple[float, ...]
    test: tuple[float, ...]
    seconds: float
    kd_seconds: float


def compare(config: CompareConfig, watcher: Watcher | None = None) -> list[Entry]:
    """Our search, random students, zero-cost scores and a search by KD under each limit.

    The search by KD has as many runs as ours, and as many more as its scoring took the time of.
    UserError for bad input, before anything is trained.
    """
    if unknown := sorted(set(config.baselines) - set(SCORES)):
        raise UserError(f"no zero-cost score {unknown[0]!r}; known: {', '.join(SCORES)}")
    watcher, store = watcher or Silent(), open_store(config.store)
    found: list[Entry] = []
    with ray_session(config.address):
        for i, limits in enumerate(config.under, 1):
            name = config.name and f"{config.name}-{i}"
            one = config.model_copy(update={"limits": limits, "name": name})
            told = Prefixed(watcher, f"limit {i} of {len(config.under)}: ")
            found += _Contest(store, one, told).entries()
    return found


class _Contest:
    """One limit."""

    def __init__(self, store: Store, config: CompareConfig, watcher: Watcher) -> None:
        self.store, self.config, self.watcher = store, config, watcher
        fields = {name: getattr(config, name) for name in SearchConfig.model_fields}
        self.name = search(SearchConfig(**fields), watcher)
        self.card: SearchCard = searches.card(store, self.name)
        self.costs = costs_of(store, config, len(self.card.teacher.classes))

    def entries(self) -> list[Entry]:
        """All ways, ours first."""
        explored = sum(one.seconds for one in searches.read_rounds(self.store, self.name))
        resources = self.config.resources
        count = slots(demand(resources), resources.workers_per_run)
        ours, random = (
            [c.spec for c in searches.choices(self.store, self.name) if c.role == role]
            for role in ("top", "random")
        )
        out = [self._entry(OURS, ours, explored * count), self._entry(RANDOM, random, 0.0)]
        for score in self.config.baselines:
            chosen = self._chosen(score, partial(self._by_score, score))
            self._distil(chosen.specs)
            out.append(self._entry(score, chosen.specs, chosen.seconds))
        run = out[0].kd_seconds / len(out[0].test)
        budget = min(MOST * len(ours), len(ours) + int(np.ceil(explored * count / run)))
        chosen = self._chosen(KD, partial(self._by_kd, budget))
        return [*out, self._entry(KD, chosen.specs, 0.0)]

    def _chosen(self, way: str, choose: Callable[[], Chosen]) -> Chosen:
        """What the store has, else what the way chooses now."""
        path = f"comparisons/{self.name}/{way.replace(' ', '-')}.json"
        known = searches.read_object(self.store, Chosen, path)
        return known or searches.write_object(self.store, choose(), path)

    def _by_score(self, score: str) -> Chosen:
        data = resolve(self.store, self.config.dataset).resized(self.config.space.image_size)
        teacher = load_net(self.store, self.card.teacher)
        specs, seconds = ways.by_zero_cost(
            self.config, self.costs, teacher, data, score, self.watcher
        )
        return Chosen(specs=tuple(map(str, specs)), seconds=seconds)

    def _by_kd(self, budget: int) -> Chosen:
        specs = ways.by_kd(self.config, self.costs, budget, self._reached, self.watcher)
        return Chosen(specs=tuple(map(str, specs)), seconds=0.0)

    def _reached(self, spec: Spec) -> float:
        self._distil([str(spec)])
        rows = self._rows(str(spec))
        return float(np.mean([row.validation for row in rows])) if rows else 0.0

    def _distil(self, specs: Sequence[str]) -> None:
        wanted = [run for spec in specs for run in runs(self.card, spec)]
        distil_all(self.config, wanted, Silent(), shard=1)

    def _rows(self, spec: str) -> list[RunRow]:
        """Rows of a student's runs that ended well."""
        keys = {run.key for run in runs(self.card, spec)}
        return [row for row in ledger.rows_of(self.store, keys).values() if row.status == "ok"]

    def _entry(self, way: str, specs: Sequence[str], seconds: float) -> Entry:
        """Of the students whose distillation ended well; UserError without any."""
        rows = [mine for spec in specs if (mine := self._rows(spec))]
        if not rows:
            raise UserError(
                f"of {len(specs)} students that {way!r} chose, none could be distilled: see "
                "`dass-ray runs --status failed`"
            )
        return Entry(
            way,
            self.config.limits,
            tuple(mine[0].params for mine in rows),
            tuple(float(np.mean([row.validation for row in mine])) for mine in rows),
            tuple(float(np.mean([row.test for row in mine])) for mine in rows),
            seconds,
            sum(row.seconds for mine in rows for row in mine),
        )
