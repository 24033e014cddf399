"""Data set names: what is allowed, what is reserved, where things lie, what was probably meant."""

import difflib
import re
from collections.abc import Iterable

from dass_ray.errors import UserError

BUILT_INS = ("digits", "textures:<seed>")
MAX_LENGTH = 100  # a name is one path component, and file systems end at 255 bytes
_ALLOWED = re.compile(r"[A-Za-z0-9._-]+", re.ASCII)
_TEXTURES = re.compile(r"textures[:-](0|[1-9][0-9]{0,17})", re.ASCII)


def textures_seed(name: str) -> int | None:
    """The seed in `textures:<seed>` (or in its stored form `textures-<seed>`), else None."""
    match = _TEXTURES.fullmatch(name)
    return int(match[1]) if match else None


def is_built_in(name: str) -> bool:
    """Whether the name, in either form, belongs to a built-in data set."""
    return name == "digits" or textures_seed(name) is not None


def is_name(name: str) -> bool:
    """Whether a data set can have this name: a built-in's, or one short path component."""
    plain = _ALLOWED.fullmatch(name) and set(name) != {"."} and len(name) <= MAX_LENGTH
    return bool(plain) or is_built_in(name)


def stored_name(name: str) -> str:
    """The name as a path component: itself, or with '-' for the ':' of a built-in.

    Raises UserError for a name that is no path component.
    """
    if not is_name(name):
        raise UserError(
            f"{name!r} cannot name a data set: use 1 to {MAX_LENGTH} letters, digits, '.', '_', '-'"
        )
    return name.replace(":", "-")


def card_path(name: str) -> str:
    """Where the card of a stored name lies."""
    return f"datasets/{name}/card.json"


def part_path(name: str, fingerprint: str, split: str, first: int, end: int) -> str:
    """Where rows `first` to `end` (exclusive) of a split lie.

    The rows are in the path, because a part left by a crashed writer with another part size must
    not pass for one of ours.
    """
    return f"datasets/{name}/{fingerprint[:16]}/{split}/{first:09d}-{end:09d}.parquet"


def unknown_name(name: str, stored: Iterable[str]) -> UserError:
    """The error for a name that neither the store nor the built-ins have; lists the nearest."""
    known = sorted({*stored, *BUILT_INS})
    begun = [other for other in known if other.startswith(name)]
    near = begun[:3] or difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if near:
        advice = f"did you mean {' or '.join(near)}?"
    else:
        shown = ", ".join(known[:10]) + (", ..." if len(known) > 10 else "")
        advice = f"there are: {shown}; `dass-ray data import NAME SOURCE` adds one"
    return UserError(f"no data set {name!r}; {advice}")
