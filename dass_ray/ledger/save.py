"""Runs as one file for other tools. It is no part of a store: these files may be overwritten."""

import csv
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from dass_ray.errors import UserError

ENDINGS = (".parquet", ".csv", ".jsonl")


def save(tables: Iterable[pa.Table], schema: pa.Schema, file: Path) -> int:
    """Writes tables of a schema to a file, whose ending says how; returns the number of rows.

    The file is complete or as it was before. UserError for another ending, or where the disk
    refuses.
    """
    if file.suffix not in ENDINGS:
        raise UserError(f"{file} has no ending that is known: use {', '.join(ENDINGS)}")
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        try:
            rows = _write(tables, schema, beside, file.suffix)
            beside.replace(file)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"cannot write {file}: {error.strerror}") from None
    return rows


def _write(tables: Iterable[pa.Table], schema: pa.Schema, file: Path, ending: str) -> int:
    rows = 0
    if ending == ".parquet":
        with pq.ParquetWriter(file, schema, compression="zstd") as writer:
            for table in tables:
                rows += len(table)
                writer.write_table(table)
        return rows
    with file.open("w", encoding="utf-8", newline="") as out:
        write = csv_lines if ending == ".csv" else json_lines
        return write(tables, schema, out)


def csv_lines(tables: Iterable[pa.Table], schema: pa.Schema, out: TextIO) -> int:
    """Writes a header and a line for each row; lists as JSON. Returns the number of rows."""
    writer, rows = csv.writer(out, lineterminator="\n"), 0
    writer.writerow(schema.names)
    for table in tables:
        for row in table.to_pylist():
            plain = (json.dumps(v) if isinstance(v, list) else v for v in row.values())
            writer.writerow(plain)
            rows += 1
    return rows


def json_lines(tables: Iterable[pa.Table], schema: pa.Schema, out: TextIO) -> int:
    """Writes a JSON object of the schema's columns for each row; returns the number of rows."""
    rows = 0
    for table in tables:
        for row in table.select(schema.names).to_pylist():
            out.write(json.dumps(row) + "\n")
            rows += 1
    return rows
