"""What the store holds about a search: its card, the scored batches, and what was verified.

    searches/<id>/card.json            task and resolved config, written first
    searches/<id>/budgets/<n>.json     larger budgets, where a search was extended
    searches/<id>/learned/<n>.json     verified students that the scores of round n know of
    searches/<id>/batches/<n>.parquet  scored candidates, one object for each batch
    searches/<id>/rescored/<n>.parquet the best candidates of earlier rounds, scored in round n
    searches/<id>/rounds/<n>.json      students to distil, with their predictions, round by round
    searches/<id>/finished/<n>.json    when it ended after n extensions, seconds of each phase

Every object is written once. Accuracies are shares in [0, 1].
"""

import io
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from dass_ray.config import SearchConfig
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.records import SCHEMA_VERSION, TeacherCard
from dass_ray.store.base import NotFound, Store

F = TypeVar("F", bound=Frozen)
Role = Literal["top", "random"]
READERS = 16
SECONDS = b"seconds"  # of wall time, in the metadata of a batch

BATCH_SCHEMA = pa.schema(
    [
        ("spec", pa.string()),
        ("predicted", pa.float64()),  # from the best teacher, where there are several
        ("uncertainty", pa.float64()),  # standard deviation, in units of accuracy
        ("params", pa.int64()),
        ("flops", pa.int64()),
        ("latency", pa.float64()),  # ms; null without a latency table
        ("feasible", pa.bool_()),  # within every limit
        ("round", pa.int64()),  # whose predictor scored it, from 1
    ]
)
BY_TEACHER = pa.schema(  # what is added where a search has several, in the order of its card
    [("predicted_by", pa.list_(pa.float64())), ("uncertainty_by", pa.list_(pa.float64()))]
)


class SearchCard(Frozen):
    """A search as it was started."""

    id: str
    config: SearchConfig
    teacher: TeacherCard  # the first one
    predictor: str  # name and fingerprint
    started_at: float  # s since 1970
    code_version: str
    schema_version: int = SCHEMA_VERSION
    others: tuple[TeacherCard, ...] = Field(default=(), exclude_if=lambda cards: not cards)

    @property
    def teachers(self) -> tuple[TeacherCard, ...]:
        """All teachers, in the order of the configuration."""
        return (self.teacher, *self.others)

    @property
    def names(self) -> tuple[str | None, ...]:
        """The teachers as a Choice names them: by their identities; a single one by None."""
        return tuple(card.id for card in self.teachers) if self.others else (None,)

    def named(self, name: str | None) -> TeacherCard:
        """The teacher that a Choice names."""
        return self.teachers[self.names.index(name)]


class Choice(Frozen):
    """A student to be distilled, when and why, and what was predicted for it before."""

    spec: str
    role: Role
    round: int  # from 1
    predicted: float
    uncertainty: float
    params: int
    flops: int
    latency: float | None = None  # ms
    keys: tuple[str, ...]  # of its runs, one for each seed
    teacher: str | None = Field(default=None, exclude_if=lambda name: name is None)
    """Whom it is distilled from; None: the search's only teacher."""


class Round(Frozen):
    """The students that one round of a search distils."""

    students: tuple[Choice, ...]
    candidates: int  # scored by the search when they were chosen
    seconds: float = Field(default=0.0, exclude_if=lambda seconds: seconds == 0)
    """Of wall time, of exploring and choosing, also by processes that were stopped."""


class Learned(Frozen):
    """Verified students of the task, each with its validation accuracy in [0, 1].

    others: the same for each teacher but the first.
    """

    students: tuple[tuple[str, float], ...]
    others: tuple[tuple[tuple[str, float], ...], ...] = Field(
        default=(), exclude_if=lambda more: not more
    )


class Budget(Frozen):
    """How far a search goes: see SearchConfig.candidates and VerifyConfig."""

    candidates: int
    top: int
    rounds: int

    @classmethod
    def of(cls, config: SearchConfig) -> "Budget":
        """That of a configuration."""
        return cls(candidates=config.candidates, top=config.verify.top, rounds=config.verify.rounds)

    def raised(self, other: "Budget") -> "Budget":
        """The larger of both in everything."""
        pairs = zip(self.model_dump().items(), other.model_dump().values(), strict=True)
        return Budget(**{name: max(mine, theirs) for (name, mine), theirs in pairs})

    def within(self, config: SearchConfig) -> SearchConfig:
        """A configuration with this budget."""
        verify = config.verify.model_copy(update={"top": self.top, "rounds": self.rounds})
        return config.model_copy(update={"candidates": self.candidates, "verify": verify})


class Finished(Frozen):
    """The end of a search; seconds of wall time by phase, of the call that ended it."""

    finished_at: float  # s since 1970
    seconds: dict[str, float]


def read_object(store: Store, model: type[F], path: str) -> F | None:
    """The record at a path; None where there is none."""
    try:
        data = store.get(path)
    except NotFound:
        return None
    return model.kept(data, path, store.uri)


def write_object(store: Store, record: F, path: str) -> F:
    """Commits a record and returns the one that is in the store: the first writer's."""
    if store.put(path, record.model_dump_json(indent=1).encode()):
        return record
    return type(record).kept(store.get(path), path, store.uri)


def card(store: Store, search: str) -> SearchCard:
    """The card of a search, with its newest budget; UserError with the known ones otherwise."""
    found = read_object(store, SearchCard, f"searches/{search}/card.json")
    if found is None:
        known = ", ".join(ids(store)) or "none yet"
        raise UserError(f"no search {search!r} in {store.uri}; known: {known}")
    paths = store.list(f"searches/{search}/budgets")
    if not paths:
        return found
    budget = Budget.kept(store.get(paths[-1]), paths[-1], store.uri)
    return found.model_copy(update={"config": budget.within(found.config)})


def extend(store: Store, known: SearchCard, wanted: Budget) -> SearchCard:
    """The card of a search that goes at least as far as is wanted."""
    have = Budget.of(known.config)
    budget = have.raised(wanted)
    if budget != have:
        number = len(store.list(f"searches/{known.id}/budgets")) + 1
        write_object(store, budget, f"searches/{known.id}/budgets/{number:06d}.json")
        return extend(store, card(store, known.id), wanted)  # another may have extended it first
    return known


def ids(store: Store) -> list[str]:
    """The identities of all searches."""
    return sorted(
        path.split("/")[1] for path in store.list("searches") if path.endswith("/card.json")
    )


def read_round(store: Store, search: str, number: int) -> Round | None:
    """A round by its number, from 1; None where the search has not come so far."""
    return read_object(store, Round, _round(search, number))


def write_round(store: Store, search: str, number: int, chosen: Round) -> Round:
    """Commits a round and returns the one that is in the store: the first writer's."""
    return write_object(store, chosen, _round(search, number))


def _round(search: str, number: int) -> str:
    return f"searches/{search}/rounds/{number:06d}.json"


def choices(store: Store, search: str) -> tuple[Choice, ...]:
    """The students that were chosen so far, round by round."""
    return tuple(choice for one in read_rounds(store, search) for choice in one.students)


def read_rounds(store: Store, search: str) -> list[Round]:
    """All rounds that have their students, in order."""
    paths = store.list(f"searches/{search}/rounds")
    return [Round.kept(store.get(path), path, store.uri) for path in paths]


def read_learned(store: Store, search: str, number: int) -> Learned | None:
    """What the scores of a round know of; None where the search has not come so far."""
    return read_object(store, Learned, f"searches/{search}/learned/{number:06d}.json")


def write_learned(store: Store, search: str, number: int, learned: Learned) -> Learned:
    """Commits what the scores of a round know of; returns what is in the store."""
    return write_object(store, learned, f"searches/{search}/learned/{number:06d}.json")


def finished(store: Store, search: str) -> Finished | None:
    """The end of a search; None where it has not ended, or goes on after it was extended."""
    return read_object(store, Finished, _end(store, search))


def write_finished(store: Store, known: SearchCard, end: Finished) -> None:
    """Commits the end of a search as far as this card goes; another may have extended it since."""
    if Budget.of(card(store, known.id).config) == Budget.of(known.config):
        write_object(store, end, _end(store, known.id))


def _end(store: Store, search: str) -> str:
    budgets = len(store.list(f"searches/{search}/budgets"))
    return f"searches/{search}/finished/{budgets:06d}.json"


def write_batch(
    store: Store, search: str, number: int, rows: pa.Table, seconds: float = 0.0
) -> bool:
    """Commits the candidates of one batch, of BATCH_SCHEMA and, with teachers, BY_TEACHER.

    seconds: of wall time that were spent on it.
    """
    data = _parquet(rows, {SECONDS: f"{seconds:.3f}".encode()})
    return store.put(f"searches/{search}/batches/{number:06d}.parquet", data)


def seconds_of(store: Store, search: str, number: int) -> float:
    """Seconds that were spent on the batches of a round, as far as they are there."""
    return sum(
        float((batch.schema.metadata or {}).get(SECONDS, b"0"))
        for batch in read_batches(store, search)
        if batch["round"][0].as_py() == number
    )


def _parquet(rows: pa.Table, metadata: Mapping[bytes, bytes] | None = None) -> bytes:
    buffer = io.BytesIO()
    more = BY_TEACHER if BY_TEACHER.names[0] in rows.column_names else ()
    schema = pa.schema([*BATCH_SCHEMA, *more], metadata)
    pq.write_table(rows.cast(schema), buffer, compression="zstd")
    return buffer.getvalue()


def write_rescored(store: Store, search: str, number: int, rows: pa.Table) -> pa.Table:
    """Commits what a round scored again, and returns what is in the store."""
    path = f"searches/{search}/rescored/{number:06d}.parquet"
    store.put(path, _parquet(rows))
    return _table(store, path)


def read_rescored(store: Store, search: str, number: int) -> pa.Table | None:
    """What a round scored again; None where it has not, or had nothing to."""
    path = f"searches/{search}/rescored/{number:06d}.parquet"
    return _table(store, path) if store.exists(path) else None


def _table(store: Store, path: str) -> pa.Table:
    return pq.read_table(pa.BufferReader(store.get(path)))


def next_batch(store: Store, search: str) -> int:
    """A number above those of all batches; one that failed leaves a hole."""
    paths = store.list(f"searches/{search}/batches")
    return int(paths[-1].rpartition("/")[2].removesuffix(".parquet")) + 1 if paths else 0


def read_batches(store: Store, search: str) -> list[pa.Table]:
    """All scored batches in their order, tables of BATCH_SCHEMA."""
    paths = store.list(f"searches/{search}/batches")
    with ThreadPoolExecutor(READERS) as pool:
        return list(pool.map(lambda path: _table(store, path), paths))
