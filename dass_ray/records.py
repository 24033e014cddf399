"""What the store holds about teachers and runs: identities, cards and rows.

A run is one KD training. Its key is a hash of everything that decides its result, so the same key
is the same run on any machine.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_type_hints

import pyarrow as pa

from dass_ray.frozen import Frozen, content_hash
from dass_ray.network import Network
from dass_ray.recipe import KDRecipe, TeacherRecipe
from dass_ray.space import Space

SCHEMA_VERSION = 1
"""Raised when a key or a row changes its meaning; it enters every key."""


class Proxy(Frozen):
    """The largest network of a space, distilled from a teacher from elsewhere.

    It stands for the teacher where weights are needed: students start from its weights and are
    scored by them.
    """

    fingerprint: str  # of the weights
    validation: float
    test: float
    curve: tuple[float, ...]
    seconds: float


class Foreign(Frozen):
    """What is known of a teacher from elsewhere, beside its accuracy."""

    network: Network  # with nothing left open
    weights: str  # their fingerprint
    params: int
    flops: int  # convolutions and matrix products of one image, two for a multiply-accumulate
    proxy: Proxy


class TeacherCard(Frozen):
    """A teacher in the store. Accuracies are shares in [0, 1] of its data set's splits."""

    id: str
    dataset: str
    dataset_fingerprint: str
    classes: tuple[str, ...]
    space: Space
    recipe: TeacherRecipe | None  # None: imported
    seed: int | None
    fingerprint: str  # of the weights; of a foreign teacher, also of its network and proxy
    validation: float
    test: float
    near_chance: bool
    curve: tuple[float, ...]
    seconds: float
    code_version: str
    schema_version: int = SCHEMA_VERSION
    foreign: Foreign | None = None  # None: the space's own largest network

    @property
    def scored_as(self) -> float:
        """Validation accuracy of the network whose weights the students are cut from."""
        return self.foreign.proxy.validation if self.foreign else self.validation


def teacher_id(
    dataset_fingerprint: str,
    space: Space,
    recipe: TeacherRecipe,
    seed: int,
    network: Network | None = None,
) -> str:
    """Identity of a teacher to be trained: its plan, known before its weights."""
    parts = ["teacher", SCHEMA_VERSION, dataset_fingerprint, space, recipe, seed]
    return content_hash(*parts, *([network] if network else []))[:16]


class Run(Frozen):
    """One KD training to be done: a student of a task, a recipe and a seed."""

    teacher: TeacherCard
    spec: str
    recipe: KDRecipe
    seed: int

    @property
    def key(self) -> str:
        """SHA-256 hex of data set, teacher, spec, recipe, seed and schema version."""
        return content_hash(
            "run", SCHEMA_VERSION, self.teacher.dataset_fingerprint, self.teacher.fingerprint,
            self.spec, self.recipe, self.seed,
        )  # fmt: skip


def run_keys(teacher: TeacherCard, recipe: KDRecipe, seed: int, specs: Iterable[str]) -> list[str]:
    """`Run.key` of many students of one task, recipe and seed, some fifty times as fast.

    Everything but the spec is written as JSON once.
    """
    parts = ["run", SCHEMA_VERSION, teacher.dataset_fingerprint, teacher.fingerprint]
    head = json.dumps(parts, separators=(",", ":"))[:-1].encode()
    rest = json.dumps([recipe.model_dump(mode="json"), seed], sort_keys=True, separators=(",", ":"))
    tail = f",{rest[1:]}".encode()
    return [
        hashlib.sha256(b"%b,%b%b" % (head, json.dumps(spec).encode(), tail)).hexdigest()
        for spec in specs
    ]


Status = Literal["ok", "diverged", "failed"]


@dataclass(frozen=True)
class RunRow:
    """A finished run. Accuracies are shares in [0, 1]; None where there is none."""

    key: str
    status: Status
    error: str
    dataset: str
    dataset_fingerprint: str
    teacher: str
    teacher_fingerprint: str
    teacher_validation: float
    teacher_test: float
    classes: int
    space: str  # JSON
    spec: str
    params: int
    flops: int
    recipe: str  # JSON
    seed: int
    validation: float | None  # after the last epoch
    validation_best: float | None  # largest after any epoch
    test: float | None  # after the last epoch; for reporting only
    curve: list[float]
    seconds: float
    device: str
    host: str
    started_at: float  # s since 1970
    attempt: str  # of several commits of one key, this tells them apart
    code_version: str
    schema_version: int = field(default=SCHEMA_VERSION)


_ARROW = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    float | None: pa.float64(),
    list[float]: pa.list_(pa.float64()),
    Status: pa.string(),
}
ROW_SCHEMA = pa.schema([(name, _ARROW[kind]) for name, kind in get_type_hints(RunRow).items()])
"""The Parquet form of a RunRow."""
