"""The contract of every store: whole objects under paths, each written once."""

from typing import TYPE_CHECKING, Protocol

from dass_ray.errors import UserError

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

Paths = list[str]  # inside a class with a method `list` that name is taken

TEMP_FOLDER = ".tmp"  # objects being written
PROBE_FOLDER = "_probe"  # objects of `dass_ray.store.open_store`'s check of the server


class NotFound(KeyError):
    """No object under this path."""

    def __str__(self) -> str:
        return Exception.__str__(self)  # KeyError would put the message in quotes


class Store(Protocol):
    """Objects of bytes under '/'-separated paths, in a folder or a bucket.

    An object is complete or absent, whatever crashes, and never changes once it is there. One path
    is never both an object and a folder of others (a local store refuses, a bucket cannot tell).
    Every method is safe in threads and raises `UserError`, in one line, for a bad path and for what
    the environment refuses (disk full, credentials, network).

    A store is not sent to other processes: send `uri` and open it there.
    """

    @property
    def uri(self) -> str:
        """Opens the same store on any machine that can reach it."""
        ...

    @property
    def exclusive(self) -> bool:
        """Whether of several concurrent puts of one path exactly one returns True."""
        ...

    def put(self, path: str, data: bytes) -> bool:
        """Commit one buffered object. True: this call created it. False: one was there, unchanged.

        After an error the object is complete or absent, and calling again is safe.
        """
        ...

    def get(self, path: str) -> bytes:
        """Return the whole object, or raise `NotFound`."""
        ...

    def exists(self, path: str) -> bool:
        """Whether there is an object (not a folder) under this path."""
        ...

    def list(self, prefix: str) -> Paths:
        """Return the paths, sorted, of all objects below the folder `prefix` ("" for all).

        Paths are relative to the root, as `get` takes them. A folder without objects, or one that
        never was, gives []. Objects being written and probes are never among them.
        """
        ...

    def delete(self, path: str) -> None:
        """Remove the object; fine where there is none."""
        ...

    def filesystem(self) -> tuple["FileSystem", str]:
        """Return a pyarrow file system and the store's root in it, to scan Parquet with.

        For reading only: a pyarrow stream publishes a truncated object when its writer fails. Ask
        anew for each scan, since credentials in it are those of the moment.
        """
        ...


def check_path(path: str) -> str:
    """Return `path`, or raise `UserError` unless it is relative, canonical and printable."""
    parts = path.split("/")
    wrong = any(part in ("", ".", "..") for part in parts) or parts[0] == TEMP_FOLDER
    if wrong or "\\" in path or not path.isprintable():
        raise UserError(
            f"bad store path {path!r}: use names joined by '/', without '.', '..', '\\', "
            f"control characters, a '/' at either end, or {TEMP_FOLDER!r} in front"
        )
    return path


def check_folder(prefix: str) -> str:
    """Return `prefix` with one '/' behind it, "" for the root, or raise `UserError`."""
    return check_path(prefix.removesuffix("/")) + "/" if prefix else ""


def is_hidden(path: str) -> bool:
    """Whether this path, relative to the root, is the store's own business."""
    return path.split("/", 1)[0] in (TEMP_FOLDER, PROBE_FOLDER)
