"""Parquet files in the Hugging Face image convention: encoded images, labels, class names."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from dass_ray.data.decode import EncodedImage, EncodedSplit
from dass_ray.data.labels import to_classes
from dass_ray.data.source import Source
from dass_ray.data.splits import SPLITS, split_named
from dass_ray.errors import UserError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")
_ROWS = 64  # read at a time: bounds the encoded images held


def read_parquet(source: Path) -> Source:
    """One Parquet file (all of it train), or a folder's files, whose names begin with a split.

    Images are a struct<bytes, path> or plain binary column; labels integers, named by the
    ClassLabel in the `huggingface` schema metadata where there is one, or strings. Raises UserError
    for files that are no Parquet, for missing columns, and for missing or wrong labels.
    """
    files = _split_files(source)
    raw = {split: np.concatenate([_labels(p) for p in paths]) for split, paths in files.items()}
    classes, labels = to_classes(raw, _class_names([p for paths in files.values() for p in paths]))
    return Source(
        description=f"Parquet {source}",
        classes=classes,
        splits={
            split: EncodedSplit(labels[split], partial(_images, paths))
            for split, paths in files.items()
        },
    )


def parquet_files(folder: Path) -> list[Path]:
    """All Parquet files below a folder, sorted, but for hidden ones."""
    found = (path for path in folder.rglob("*.parquet") if path.is_file())
    return sorted(
        p for p in found if not any(n.startswith(".") for n in p.relative_to(folder).parts)
    )


def _split_files(source: Path) -> dict[str, list[Path]]:
    if source.is_file():
        return {"train": [source]}
    paths = parquet_files(source)
    by_split: dict[str | None, list[Path]] = {}
    for path in paths:
        by_split.setdefault(_split_of(path, source), []).append(path)
    unnamed = by_split.pop(None, [])
    if not by_split:
        return {"train": unnamed}
    named = {split: by_split[split] for split in SPLITS if split in by_split}
    if unnamed or "train" not in named:
        wrong = f"{unnamed[0].name} has no split" if unnamed else "there is no train file"
        raise UserError(f"{source}: {wrong}; name the files train*, validation*, test*.parquet")
    return named


def _split_of(path: Path, source: Path) -> str | None:
    """The split that the file's name begins with, or the name of a directory it lies in."""
    for part in reversed(path.relative_to(source).parts):
        word = re.match(r"[a-zA-Z]*", part)
        if word and (split := split_named(word[0])):
            return split
    return None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise UserError(f"cannot read {path} as Parquet ({reason}); fetch it again") from None


def _image_column(path: Path, schema: pa.Schema) -> str:
    """The column called `image` or `img`, else the only one that can hold images."""
    fits = [field.name for field in schema if _is_image(field.type)]
    named = [name for name in IMAGE_COLUMNS if name in fits]
    if named or len(fits) == 1:
        return str((named or fits)[0])
    raise _no_column(path, schema, "image", IMAGE_COLUMNS, "struct<bytes, path> or binary")


def _label_column(path: Path, schema: pa.Schema) -> str:
    for name in LABEL_COLUMNS:
        if name in schema.names and _is_label(schema.field(name).type):
            return name
    raise _no_column(path, schema, "label", LABEL_COLUMNS, "integers or strings")


def _no_column(
    path: Path, schema: pa.Schema, what: str, names: tuple[str, ...], kinds: str
) -> UserError:
    return UserError(
        f"{path} has no {what} column: expected {' or '.join(map(repr, names))} of {kinds}, "
        f"found {', '.join(f'{f.name!r} of {f.type}' for f in schema)}; rename or convert it"
    )


def _is_image(kind: pa.DataType) -> bool:
    if pa.types.is_struct(kind):
        return any(field.name == "bytes" and _is_image(field.type) for field in kind)
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _is_label(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind)
    )


def _labels(path: Path) -> npt.NDArray[np.generic]:
    """The raw labels of a file: [N] integers or strings."""
    with _readable(path), pq.ParquetFile(path) as file:
        name = _label_column(path, file.schema_arrow)
        _image_column(path, file.schema_arrow)  # the time to find out
        column = file.read(columns=[name])[name]
        if column.null_count:
            raise UserError(
                f"{path} has {column.null_count} rows without a {name!r}; label or drop them"
            )
        if pa.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if pa.types.is_integer(column.type):
            return np.asarray(column.cast(pa.int64()).to_numpy())
        return np.array(column.to_pylist(), dtype=np.str_)


def _class_names(paths: list[Path]) -> list[str] | None:
    """The ClassLabel names of the label column, on which all files have to agree."""
    names = _names_in(paths[0])
    for path in paths[1:]:
        if _names_in(path) != names:
            raise UserError(f"{path} and {paths[0]} name different classes; import them separately")
    return names


def _names_in(path: Path) -> list[str] | None:
    schema = pq.read_schema(path)
    metadata = (schema.metadata or {}).get(b"huggingface", b"null")
    try:
        features = json.loads(metadata)["info"]["features"]
        return [str(name) for name in features[_label_column(path, schema)]["names"]]
    except (json.JSONDecodeError, KeyError, TypeError):  # no ClassLabel
        return None


def _images(paths: list[Path]) -> Iterator[EncodedImage]:
    for path in paths:
        with _readable(path), pq.ParquetFile(path) as file:
            name = _image_column(path, file.schema_arrow)
            row = 0
            for batch in file.iter_batches(batch_size=_ROWS, columns=[name]):
                for value in batch.column(0).to_pylist():
                    data, label = _bytes_and_path(value)
                    yield EncodedImage(label or f"{path.name} row {row}", partial(bytes, data))
                    row += 1


def _bytes_and_path(value: dict[str, Any] | bytes | None) -> tuple[bytes, str | None]:
    """The encoded image, empty where there is none, and what it was called."""
    if isinstance(value, dict):
        return value["bytes"] or b"", value.get("path")
    return value or b"", None
