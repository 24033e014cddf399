"""Tar shards in the webdataset convention: KEY.jpg beside KEY.cls or KEY.json.

A shard is read from its beginning to its end, once for labels and once for images, and nothing is
unpacked to the disk.
"""

import glob
import json
import os
import re
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain, product
from pathlib import Path

import numpy as np
import numpy.typing as npt

from dass_ray.data.decode import EncodedSplit
from dass_ray.data.files import by_split
from dass_ray.data.folder import EXTENSIONS
from dass_ray.data.labels import to_classes
from dass_ray.data.source import EncodedImage, Piece, Source, in_order
from dass_ray.errors import UserError

SUFFIXES = (".tar", ".tar.gz", ".tgz")
CLASS_FILE = "classes.txt"
LABEL_KEYS = ("class_name", "label_name", "label", "cls", "class")
LABELS = ("cls", "json")
IMAGES = tuple(extension[1:] for extension in EXTENSIONS)
_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")


def is_shards(source: str) -> bool:
    """Whether a source names tar files: one, several as in {0000..0009}, or a pattern with *."""
    return source.lower().endswith(SUFFIXES)


def tar_files(folder: Path) -> list[Path]:
    """The tar files of a folder, sorted, but for hidden ones."""
    return sorted(p for p in folder.iterdir() if is_shards(p.name) and not p.name.startswith("."))


def read_shards(paths: Sequence[Path], source: str) -> Source:
    """The images of tar files, by split as their names begin (all are train otherwise).

    A label is a number or a name in KEY.cls, or in KEY.json under one of LABEL_KEYS. The lines of
    `classes.txt` beside the first shard name the numbers from 0. Raises UserError for files that
    are no tar files, and for images without a label.
    """
    root = paths[0] if len(paths) == 1 else Path(os.path.commonpath(paths))
    files = by_split(paths, root, ".tar")
    found = {split: [list(_labels(path)) for path in some] for split, some in files.items()}
    raw = {split: _array([*chain.from_iterable(some)]) for split, some in found.items()}
    classes, labels = to_classes(raw, _class_names(paths[0].parent))
    return Source(
        description=f"tar shards {source}",
        classes=classes,
        splits={
            split: EncodedSplit(labels[split], _pieces(some, [len(one) for one in found[split]]))
            for split, some in files.items()
        },
    )


def expand(source: str) -> list[Path]:
    """The files that {0000..0009} and * stand for, in order; UserError where one is missing."""
    parts = _RANGE.split(source)
    texts, ranges = parts[::3], zip(parts[1::3], parts[2::3], strict=True)
    numbers = [[f"{n:0{len(a)}d}" for n in range(int(a), int(b) + 1)] for a, b in ranges]
    names = [_joined(texts, some) for some in product(*numbers)]
    found = [path for name in names for path in sorted(glob.glob(name) or [name])]
    if missing := [path for path in found if not Path(path).is_file()]:
        raise UserError(f"there is no {missing[0]}; check the path")
    return [Path(path) for path in found]


def _joined(texts: Sequence[str], numbers: Sequence[str]) -> str:
    return "".join(a + b for a, b in zip(texts, [*numbers, ""], strict=True))


def _class_names(folder: Path) -> list[str] | None:
    file = folder / CLASS_FILE
    return file.read_text().splitlines() if file.is_file() else None


def _array(labels: list[str]) -> npt.NDArray[np.generic]:
    numbers = all(re.fullmatch(r"-?\d+", label) for label in labels)
    return np.array(labels, dtype=np.int64 if numbers and labels else np.str_)


def _labels(path: Path) -> Iterator[str]:
    """The label of each image of a shard, in order."""
    keys: list[str] = []
    labels: dict[str, str] = {}
    for key, kind, data in _members(path, LABELS):
        if kind in LABELS:
            label = _label(data, kind)
            labels |= {key: label} if label is not None else {}
        elif kind in IMAGES:
            keys.append(key)
    for key in keys:
        if key not in labels:
            raise UserError(
                f"{path.name}: {key!r} has no label: add {key}.cls, or {key}.json with one of "
                f"{', '.join(LABEL_KEYS)}"
            )
        yield labels[key]


def _label(data: bytes, kind: str) -> str | None:
    text = data.decode(errors="replace").strip()
    if kind == "cls":
        return text
    try:
        found = json.loads(text)
    except ValueError:
        return None
    given = [found[key] for key in LABEL_KEYS if isinstance(found, dict) and key in found]
    return str(given[0]) if given else None


def _pieces(paths: Sequence[Path], counts: Sequence[int]) -> list[Piece]:
    shards = zip(counts, paths, strict=True)
    return in_order((count, partial(_images, path)) for count, path in shards)


def _images(path: Path) -> Iterator[EncodedImage]:
    for key, kind, data in _members(path, IMAGES):
        if kind in IMAGES:
            yield EncodedImage(f"{path.name}:{key}.{kind}", partial(bytes, data))


def _members(path: Path, read: Sequence[str]) -> Iterator[tuple[str, str, bytes]]:
    """Key, kind (the lower-case end of the name) and, of the kinds to read, bytes of each file."""
    with _open(path) as tar:
        for member in tar:
            folder, slash, name = member.name.rpartition("/")
            stem, _, kind = name.partition(".")
            kind = kind.lower()
            if not (member.isfile() and stem):
                continue
            file = tar.extractfile(member) if kind in read else None
            yield f"{folder}{slash}{stem}", kind, file.read() if file else b""


@contextmanager
def _open(path: Path) -> Iterator[tarfile.TarFile]:
    try:
        with tarfile.open(path) as tar:
            yield tar
    except (tarfile.TarError, EOFError, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(":")
        raise UserError(f"cannot read {path} as a tar file ({reason}); fetch it again") from None
