"""A file of recorded runs: Parquet, one row for each run, with a card in the file's metadata.

A row is a run as the ledger has it (records.RunRow, some columns), beside `score:<method>`: what
the zero-cost scores, and the predictor where it had not seen the task, say of the student.
Letters: N students of a task, K KD seeds, S stages, D blocks.
"""

import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import resources
from pathlib import Path
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from dass_ray.cost import Cost, cost
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.recipe import KDRecipe
from dass_ray.space import Space, Spec, Specs

Floats = NDArray[np.float64]
FORMAT = 1
CARD, SCORE = b"dass_ray", "score:"
SHIPPED = "micro"
COLUMNS = (
    "dataset", "dataset_fingerprint", "teacher", "teacher_validation", "teacher_test", "classes",
    "spec", "params", "flops", "seed", "validation", "test", "seconds", "device",
)  # fmt: skip
"""What a row keeps of a run."""


class RecordCard(Frozen):
    """What all rows of a file share. scored_by: the predictor of the column `score:predictor`."""

    format: int = FORMAT
    name: str
    space: Space
    recipe: KDRecipe
    scored_by: str
    scores_images: int
    code_version: str


@dataclass(frozen=True)
class RecordedTask:
    """One task's students. validation, test [K, N], NaN where a student lacks a seed."""

    name: str
    space: Space
    specs: Specs
    classes: int
    validation: Floats
    test: Floats
    scores: dict[str, Floats]
    seconds: float  # mean of one run

    @cached_property
    def mean(self) -> Floats:
        """[N]: validation accuracy, over the seeds that there are."""
        found: Floats = np.nanmean(self.validation, axis=0)
        return found

    @cached_property
    def cost(self) -> Cost:
        """Of every student."""
        return cost(self.space, self.specs, self.classes)

    @cached_property
    def vectors(self) -> NDArray[np.float32]:
        """[N, F]: what the students are, as numbers between 0 and 1."""
        return self.space.vectors(self.specs)


@dataclass(frozen=True)
class Recorded:
    """A file's card, and its runs as a table."""

    card: RecordCard
    rows: pa.Table

    @classmethod
    def read(cls, source: str | Path) -> Self:
        """A file, or by its name one that the package ships; UserError where it is neither."""
        try:
            table = pq.read_table(io.BytesIO(_bytes(str(source))))
        except (OSError, pa.ArrowInvalid) as error:
            raise UserError(f"cannot read recorded runs from {source}: {error}") from None
        found = (table.schema.metadata or {}).get(CARD)
        if found is None:
            raise UserError(f"{source} holds no recorded runs: `dass-ray record` writes such files")
        raw = json.loads(found)
        if raw.get("format") != FORMAT:
            raise UserError(f"{source} is of a newer dass-ray: update this one")
        return cls(RecordCard.model_validate(raw), table)

    def to_parquet(self) -> bytes:
        """The file."""
        buffer = io.BytesIO()
        card = self.card.model_dump_json().encode()
        table = self.rows.replace_schema_metadata({CARD: card})
        pq.write_table(table, buffer, compression="zstd", use_dictionary=True)
        return buffer.getvalue()

    def tasks(self) -> Iterator[RecordedTask]:
        """Every task, by name."""
        names = self.rows.group_by(["dataset", "teacher"]).aggregate([]).to_pylist()
        for one in sorted(names, key=lambda n: (n["dataset"], n["teacher"])):
            mask = [
                (d, t) == (one["dataset"], one["teacher"])
                for d, t in zip(
                    self.rows["dataset"].to_pylist(), self.rows["teacher"].to_pylist(), strict=True
                )
            ]
            yield _task(self.card.space, self.rows.filter(pa.array(mask)))

    def chosen(self, wanted: Sequence[str] = ()) -> list[RecordedTask]:
        """The tasks whose names begin so; without any, those that the predictor had not seen.

        UserError where there is none.
        """
        every = list(self.tasks())
        found = [
            task for task in every
            if (task.name.startswith(tuple(wanted)) if wanted else "predictor" in task.scores)
        ]  # fmt: skip
        if not found:
            names = ", ".join(task.name for task in every)
            raise UserError(f"no such task was recorded; there are {names}")
        return found


def _bytes(source: str) -> bytes:
    shipped = resources.files("dass_ray.replay") / "shipped" / f"{source}.parquet"
    if shipped.is_file():
        return shipped.read_bytes()
    return Path(source).expanduser().read_bytes()


def _task(space: Space, rows: pa.Table) -> RecordedTask:
    texts, first, student = np.unique(
        rows["spec"].to_numpy(), return_index=True, return_inverse=True
    )
    seeds, seed = np.unique(rows["seed"].to_numpy(), return_inverse=True)
    by_seed = {}
    for name in ("validation", "test"):
        by_seed[name] = np.full((len(seeds), len(texts)), np.nan)
        by_seed[name][seed, student] = rows[name].to_numpy()
    scores = {
        name.removeprefix(SCORE): rows[name].to_numpy()[first]
        for name in rows.column_names
        if name.startswith(SCORE)
    }
    return RecordedTask(
        f"{rows['dataset'][0]}/{str(rows['teacher'][0])[:8]}",
        space,
        space.pack([Spec.parse(text) for text in texts]),
        rows["classes"][0].as_py(),
        by_seed["validation"],
        by_seed["test"],
        {name: values for name, values in scores.items() if not np.isnan(values).any()},
        float(np.mean(rows["seconds"].to_numpy())),
    )
