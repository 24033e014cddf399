"""Data sets of the `datasets` library: folders of `save_to_disk`, and the Hugging Face hub.

Their files are Arrow streams, so that pyarrow reads the folders and no other package is needed.
"""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from dass_ray.data.columns import ROWS, TableFile, read_tables
from dass_ray.data.source import Source
from dass_ray.data.splits import split_named
from dass_ray.errors import UserError

HUB = "hf:"
_MANY, _ONE = "dataset_dict.json", "state.json"


def is_saved(folder: Path) -> bool:
    """Whether `save_to_disk` wrote the folder."""
    return any((folder / name).is_file() for name in (_MANY, _ONE))


def read_saved(folder: Path) -> Source:
    """A data set with its splits, or a single one, which is then all train; see columns.py."""
    names = _json(folder / _MANY)["splits"] if (folder / _MANY).is_file() else None
    folders = {name: folder / name for name in names} if names else {"train": folder}
    files = {name: [ArrowTable(path) for path in _files(place)] for name, place in folders.items()}
    return _read(files, f"saved data set {folder}")


def read_hub(name: str) -> Source:
    """A data set of the hub, `NAME` or `NAME@CONFIGURATION`, fetched by the `datasets` library.

    Raises UserError where the library is missing or the data set cannot be fetched.
    """
    try:
        import datasets  # noqa: PLC0415 - an extra
    except ModuleNotFoundError:
        raise UserError("hf: names need another package: `pip install 'dass-ray[hf]'`") from None
    where, _, configuration = name.partition("@")
    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)  # it tells each of its retries
    try:
        found = datasets.load_dataset(where, configuration or None)
    except Exception as error:  # many kinds, of a library that changes them
        raise UserError(
            f"cannot fetch {name!r} from the hub ({type(error).__name__}): check the name and the "
            "network, or import a folder that `save_to_disk` wrote elsewhere"
        ) from None
    files = {
        str(split): [ArrowTable(Path(file["filename"])) for file in one.cache_files]
        for split, one in found.items()
    }
    return _read(files, f"{HUB}{name}")


def _read(files: Mapping[str, Sequence[TableFile]], description: str) -> Source:
    """Splits with a name that means none of ours are left out, and the description says so."""
    known = {split: some for name, some in files.items() if (split := split_named(name))}
    if "train" not in known:
        raise UserError(f"{description} has no train split but {', '.join(files)}; rename one")
    unknown = [repr(name) for name in files if split_named(name) is None]
    note = f" without its split {', '.join(unknown)}" if unknown else ""
    return read_tables(known, description + note)


def _files(folder: Path) -> list[Path]:
    try:
        return [folder / file["filename"] for file in _json(folder / _ONE)["_data_files"]]
    except (KeyError, TypeError):
        raise UserError(f"{folder / _ONE} names no files; save the data set again") from None


def _json(path: Path) -> Any:  # noqa: ANN401 - what JSON holds
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        raise UserError(f"cannot read {path}; save the data set again") from None


@dataclass(frozen=True)
class ArrowTable:
    """A file with a stream of Arrow batches (a TableFile), mapped into memory."""

    path: Path

    def schema(self) -> pa.Schema:
        """See TableFile."""
        with self._open() as batches:
            return batches.schema

    def column(self, name: str) -> pa.ChunkedArray:
        """See TableFile."""
        with self._open() as batches:
            return batches.read_all()[name]

    def lengths(self) -> list[int]:
        """See TableFile; its parts are the batches of the stream."""
        with self._open() as batches:
            return [len(batch) for batch in batches]

    def values(self, name: str, parts: range) -> Iterator[Any]:
        """See TableFile."""
        with self._open() as batches:
            for batch in islice(batches, parts.start, parts.stop):
                column = batch[name]
                for start in range(0, len(column), ROWS):
                    yield from column[start : start + ROWS].to_pylist()

    @contextmanager
    def _open(self) -> Iterator[pa.RecordBatchStreamReader]:
        try:
            with pa.memory_map(str(self.path)) as file, pa.ipc.open_stream(file) as batches:
                yield batches
        except (pa.ArrowInvalid, OSError) as error:
            reason = str(error).splitlines()[0]
            raise UserError(
                f"cannot read {self.path} as Arrow ({reason}); save the data set again"
            ) from None
