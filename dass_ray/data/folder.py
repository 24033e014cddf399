"""Image folders: a directory for each class, maybe under a directory for each split."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from dass_ray.data.decode import EncodedSplit
from dass_ray.data.labels import to_classes
from dass_ray.data.source import PIECE, UNLABELLED, EncodedImage, Piece, Source, in_order
from dass_ray.data.splits import SPLITS, split_named
from dass_ray.errors import UserError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm")


def read_folder(source: Path) -> Source:
    """The class directories of a folder, or of its `train`, `validation` and `test` directories.

    Hidden files and files with other extensions are ignored; images may lie deeper inside their
    class directory. Raises UserError where there are none, or no train split, or where the splits
    have different classes.
    """
    files = {split: _class_files(folder) for split, folder in _split_folders(source).items()}
    for split, found in files.items():
        if not found:
            raise UserError(
                f"no images for {split} in {source}: expected a directory for each class, "
                f"with {' '.join(EXTENSIONS)} files in it"
            )
    names = {s: np.array([c for c, paths in f.items() for _ in paths]) for s, f in files.items()}
    classes, labels = to_classes(names)
    return Source(
        description=f"image folder {source}",
        classes=classes,
        splits={
            split: EncodedSplit(
                labels[split],
                _pieces(source, [path for paths in found.values() for path in paths]),
            )
            for split, found in files.items()
        },
    )


def read_unlabelled(source: Path, classes: Sequence[str]) -> Source:
    """All images below a folder, whatever its directories, as a train split without labels.

    classes: those that labelled images beside them have. Raises UserError where there are none.
    """
    if not source.is_dir():
        raise UserError(f"{source} is no folder; give a folder of images")
    paths = sorted(_files(source))
    if not paths:
        raise UserError(f"no images in {source}: expected {' '.join(EXTENSIONS)} files")
    split = EncodedSplit(np.full(len(paths), UNLABELLED), _pieces(source, paths))
    return Source(f"image folder {source} without labels", tuple(classes), {"train": split})


def _split_folders(source: Path) -> dict[str, Path]:
    """The directory of each split; the source itself is `train` where it has class directories."""
    folders = _folders(source)
    by_split: dict[str, list[Path]] = {}
    for folder in folders:
        if split := split_named(folder.name):
            by_split.setdefault(split, []).append(folder)
    # A class may be called "test" or "train". It is a split if another one lies beside it, or
    # nothing else, or if it is a train with directories of its own. What else lies beside splits
    # (annotations, say) is not read.
    alone = len(by_split) == 1 and sum(map(len, by_split.values())) == len(folders)
    if len(by_split) < 2 and not alone and not any(map(_folders, by_split.get("train", []))):
        return {"train": source}
    for split, found in by_split.items():
        if len(found) > 1:
            raise UserError(
                f"{source} has two directories for {split}, {found[0].name} and {found[1].name}; "
                "keep one"
            )
    if "train" not in by_split:
        raise UserError(f"{source} has no train directory beside {folders[0].name}; add one")
    return {split: by_split[split][0] for split in SPLITS if split in by_split}


def _class_files(folder: Path) -> dict[str, list[Path]]:
    """Sorted image files of each class directory; directories without images are no classes."""
    files = {child.name: sorted(_files(child)) for child in _folders(folder)}
    return {name: paths for name, paths in files.items() if paths}


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.name.startswith("."))


def _files(folder: Path) -> Iterator[Path]:
    for here, below, names in os.walk(folder, followlinks=True):
        below[:] = [name for name in below if not name.startswith(".")]
        for name in names:
            if not name.startswith(".") and os.path.splitext(name)[1].lower() in EXTENSIONS:
                yield Path(here, name)


def _pieces(source: Path, paths: Sequence[Path]) -> list[Piece]:
    some = (paths[first : first + PIECE] for first in range(0, len(paths), PIECE))
    return in_order((len(few), partial(_images, source, few)) for few in some)


def _images(source: Path, paths: Sequence[Path]) -> Iterator[EncodedImage]:
    for path in paths:
        yield EncodedImage(str(path.relative_to(source)), path.read_bytes)
