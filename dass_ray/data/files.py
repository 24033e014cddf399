"""Files of a data set, and the split that each belongs to."""

import re
from collections.abc import Sequence
from pathlib import Path

from dass_ray.data.splits import SPLITS, split_named
from dass_ray.errors import UserError


def files_below(folder: Path, suffix: str) -> list[Path]:
    """All files below a folder that end so, sorted, but for hidden ones."""
    found = (path for path in folder.rglob(f"*{suffix}") if path.is_file())
    return sorted(
        p for p in found if not any(n.startswith(".") for n in p.relative_to(folder).parts)
    )


def by_split(paths: Sequence[Path], root: Path, suffix: str) -> dict[str, list[Path]]:
    """The files of each split; all are train where no name says otherwise, as of a single file.

    A name says it by its first word, or that of a directory below `root`.
    """
    if len(paths) == 1 and paths[0] == root:
        return {"train": list(paths)}
    found: dict[str | None, list[Path]] = {}
    for path in paths:
        found.setdefault(_split_of(path.relative_to(root)), []).append(path)
    unnamed = found.pop(None, [])
    if not found:
        return {"train": unnamed}
    named = {split: found[split] for split in SPLITS if split in found}
    if unnamed or "train" not in named:
        wrong = f"{unnamed[0].name} has no split" if unnamed else "there is no train file"
        raise UserError(f"{root}: {wrong}; name the files train*, validation*, test*{suffix}")
    return named


def _split_of(path: Path) -> str | None:
    for part in reversed(path.parts):
        word = re.match(r"[a-zA-Z]*", part)
        if word and (split := split_named(word[0])):
            return split
    return None
