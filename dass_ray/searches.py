"""What the store holds about a search: its card, the scored batches, and what was verified.

    searches/<id>/card.json           task and resolved config, written first
    searches/<id>/batches/<n>.parquet scored candidates, one object for each batch
    searches/<id>/rounds/<n>.json     students to distil, with their predictions, round by round
    searches/<id>/finished.json       when it ended and how long each phase took

Every object is written once. Accuracies are shares in [0, 1].
"""

import io
from typing import Any, Literal, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from dass_ray.config import SearchConfig
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.records import SCHEMA_VERSION, TeacherCard
from dass_ray.store.base import NotFound, Store

F = TypeVar("F", bound=Frozen)
Role = Literal["top", "random"]

BATCH_SCHEMA = pa.schema(
    [
        ("spec", pa.string()),
        ("predicted", pa.float64()),
        ("uncertainty", pa.float64()),  # standard deviation, in units of accuracy
        ("params", pa.int64()),
        ("flops", pa.int64()),
        ("feasible", pa.bool_()),  # within every limit
    ]
)


class SearchCard(Frozen):
    """A search as it was started."""

    id: str
    config: SearchConfig
    teacher: TeacherCard
    predictor: str  # name and fingerprint
    started_at: float  # s since 1970
    code_version: str
    schema_version: int = SCHEMA_VERSION


class Choice(Frozen):
    """A student to be distilled, when and why, and what was predicted for it before."""

    spec: str
    role: Role
    round: int  # from 1
    predicted: float
    uncertainty: float
    params: int
    flops: int
    keys: tuple[str, ...]  # of its runs, one for each seed


class Round(Frozen):
    """The students that one round of a search distils."""

    students: tuple[Choice, ...]


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
    return model.model_validate_json(data)


def write_object(store: Store, record: F, path: str) -> F:
    """Commits a record and returns the one that is in the store: the first writer's."""
    if store.put(path, record.model_dump_json(indent=1).encode()):
        return record
    return type(record).model_validate_json(store.get(path))


def card(store: Store, search: str) -> SearchCard:
    """The card of a search; UserError with the known ones where there is none."""
    found = read_object(store, SearchCard, f"searches/{search}/card.json")
    if found is None:
        known = ", ".join(ids(store)) or "none yet"
        raise UserError(f"no search {search!r} in {store.uri}; known: {known}")
    return found


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
    paths = store.list(f"searches/{search}/rounds")
    rounds = [Round.model_validate_json(store.get(path)) for path in paths]
    return tuple(choice for chosen in rounds for choice in chosen.students)


def finished(store: Store, search: str) -> Finished | None:
    """The end of a search; None where it has not ended."""
    return read_object(store, Finished, f"searches/{search}/finished.json")


def write_batch(store: Store, search: str, number: int, rows: dict[str, Any]) -> bool:
    """Commits the candidates of one batch; rows: columns of BATCH_SCHEMA."""
    buffer = io.BytesIO()
    pq.write_table(pa.table(rows, schema=BATCH_SCHEMA), buffer, compression="zstd")
    return store.put(f"searches/{search}/batches/{number:06d}.parquet", buffer.getvalue())


def next_batch(store: Store, search: str) -> int:
    """A number above those of all batches; one that failed leaves a hole."""
    paths = store.list(f"searches/{search}/batches")
    return int(paths[-1].rpartition("/")[2].removesuffix(".parquet")) + 1 if paths else 0


def read_batches(store: Store, search: str) -> list[pa.Table]:
    """All scored batches in their order, tables of BATCH_SCHEMA."""
    paths = store.list(f"searches/{search}/batches")
    return [pq.read_table(pa.BufferReader(store.get(path))) for path in paths]
