"""Tables of the Hugging Face image convention: encoded images, labels, class names."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from dass_ray.data.decode import EncodedSplit
from dass_ray.data.labels import to_classes
from dass_ray.data.source import PIECE, EncodedImage, Source, in_order
from dass_ray.errors import UserError

IMAGE_COLUMNS = ("image", "img")
LABEL_COLUMNS = ("label", "labels", "fine_label")
ROWS = 64  # read at a time: bounds the encoded images held


class TableFile(Protocol):
    """One file with rows of images; UserError from each method where it cannot be read."""

    @property
    def path(self) -> Path:
        """Where it lies."""
        ...

    def schema(self) -> pa.Schema:
        """The names and types of its columns."""
        ...

    def column(self, name: str) -> pa.ChunkedArray:
        """A whole column."""
        ...

    def lengths(self) -> list[int]:
        """The rows of each part that can be read by itself."""
        ...

    def values(self, name: str, parts: range) -> Iterator[Any]:
        """A column of some parts as Python values, of which few are held at a time."""
        ...


def read_tables(files: Mapping[str, Sequence[TableFile]], description: str) -> Source:
    """The source that the files of each split are.

    Images are a struct<bytes, path> or plain binary column; labels integers, named by the
    ClassLabel in the `huggingface` schema metadata where there is one, or strings. Raises UserError
    for missing columns, and for missing or wrong labels.
    """
    raw = {split: np.concatenate([_labels(f) for f in some]) for split, some in files.items()}
    classes, labels = to_classes(raw, _class_names([f for some in files.values() for f in some]))
    return Source(
        description=description,
        classes=classes,
        splits={
            split: EncodedSplit(labels[split], in_order(p for f in some for p in _pieces(f)))
            for split, some in files.items()
        },
    )


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


def _labels(file: TableFile) -> npt.NDArray[np.generic]:
    """The raw labels of a file: [N] integers or strings."""
    path, schema = file.path, file.schema()
    name = _label_column(path, schema)
    _image_column(path, schema)  # the time to find out
    column = file.column(name)
    if column.null_count:
        raise UserError(
            f"{path} has {column.null_count} rows without a {name!r}; label or drop them"
        )
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    if pa.types.is_integer(column.type):
        return np.asarray(column.cast(pa.int64()).to_numpy())
    return np.array(column.to_pylist(), dtype=np.str_)


def _class_names(files: Sequence[TableFile]) -> list[str] | None:
    """The ClassLabel names of the label column, on which all files have to agree."""
    first, *others = files
    names = _names_in(first)
    for file in others:
        if _names_in(file) != names:
            raise UserError(
                f"{file.path} and {first.path} name different classes; import them separately"
            )
    return names


def _names_in(file: TableFile) -> list[str] | None:
    schema = file.schema()
    metadata = (schema.metadata or {}).get(b"huggingface", b"null")
    try:
        features = json.loads(metadata)["info"]["features"]
        return [str(name) for name in features[_label_column(file.path, schema)]["names"]]
    except (json.JSONDecodeError, KeyError, TypeError):  # no ClassLabel
        return None


def _pieces(file: TableFile) -> Iterator[tuple[int, Callable[[], Iterator[EncodedImage]]]]:
    """How many rows some parts of a file have together, and the way to their images."""
    lengths = file.lengths()
    first = begun = rows = 0  # the rows before a piece, its first part, its rows so far
    for part, length in enumerate(lengths):
        rows += length
        if rows >= PIECE or part + 1 == len(lengths):
            yield rows, partial(_images, file, range(begun, part + 1), first)
            first, begun, rows = first + rows, part + 1, 0


def _images(file: TableFile, parts: range, first: int) -> Iterator[EncodedImage]:
    """first: the row in its file of the first image."""
    values = file.values(_image_column(file.path, file.schema()), parts)
    for row, value in enumerate(values, first):
        data, label = _bytes_and_path(value)
        yield EncodedImage(label or f"{file.path.name} row {row}", partial(bytes, data))


def _bytes_and_path(value: dict[str, Any] | bytes | None) -> tuple[bytes, str | None]:
    """The encoded image, empty where there is none, and what it was called."""
    if isinstance(value, dict):
        return value["bytes"] or b"", value.get("path")
    return value or b"", None
