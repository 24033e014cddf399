"""Parquet files in the Hugging Face image convention."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from dass_ray.data.columns import ROWS, read_tables
from dass_ray.data.files import by_split, files_below
from dass_ray.data.source import Source
from dass_ray.errors import UserError


def read_parquet(source: Path) -> Source:
    """One Parquet file (all of it train), or a folder's files, whose names begin with a split.

    See columns.py for what is in them. Raises UserError also for files that are no Parquet.
    """
    paths = [source] if source.is_file() else parquet_files(source)
    files = by_split(paths, source, ".parquet")
    tables = {split: [ParquetTable(path) for path in some] for split, some in files.items()}
    return read_tables(tables, f"Parquet {source}")


def parquet_files(folder: Path) -> list[Path]:
    """All Parquet files below a folder, sorted, but for hidden ones."""
    return files_below(folder, ".parquet")


@dataclass(frozen=True)
class ParquetTable:
    """A Parquet file (a TableFile)."""

    path: Path

    def schema(self) -> pa.Schema:
        """See TableFile."""
        with self._open() as file:
            return file.schema_arrow

    def column(self, name: str) -> pa.ChunkedArray:
        """See TableFile."""
        with self._open() as file:
            return file.read(columns=[name])[name]

    def lengths(self) -> list[int]:
        """See TableFile; its parts are row groups."""
        with self._open() as file:
            groups = range(file.num_row_groups)
            return [file.metadata.row_group(group).num_rows for group in groups]

    def values(self, name: str, parts: range) -> Iterator[Any]:
        """See TableFile."""
        with self._open() as file:
            for batch in file.iter_batches(ROWS, row_groups=[*parts], columns=[name]):
                yield from batch.column(0).to_pylist()

    @contextmanager
    def _open(self) -> Iterator[pq.ParquetFile]:
        try:
            with pq.ParquetFile(self.path) as file:
                yield file
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"cannot read {self.path} as Parquet ({reason}); fetch it again"
            ) from None
