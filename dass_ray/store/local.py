"""A store in a folder of this machine or of a network file system with hard links."""

import errno
import os
import stat
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dass_ray.store.base import TEMP_FOLDER, NotFound, Paths, check_folder, check_path, is_hidden
from dass_ray.store.disk import explained, link, sync, temporary

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

STALE = 24 * 3600.0  # s; no write takes a day, so the writer of an older temporary file is dead


class LocalStore:
    """Commits with a hard link from a synced temporary file (see `Store`).

    A link is atomic and refuses a taken name, also on NFS, so that one writer wins and readers see
    whole objects. When `put` returns, the object survives a power cut.
    """

    exclusive = True

    def __init__(self, root: Path) -> None:
        self._root = root
        self.uri = str(root)

    def put(self, path: str, data: bytes) -> bool:
        """See `Store.put`."""
        target = self._at(path)
        temp_folder = self._root / TEMP_FOLDER
        with explained(target):
            temp_folder.mkdir(exist_ok=True)  # not its parents: a lost mount must stay an error
            with temporary(temp_folder, data) as temp:
                target.parent.mkdir(parents=True, exist_ok=True)
                created = link(temp, target)
            # All folders up to the root, also if the object was there: the process that made them
            # may not have come to syncing them. Syncing a clean folder writes nothing.
            for folder in target.relative_to(self._root).parents:
                sync(self._root / folder)
        return created

    def get(self, path: str) -> bytes:
        """See `Store.get`."""
        target = self._at(path)
        with explained(target):
            try:
                return target.read_bytes()
            except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
                self._require_root()
        raise NotFound(f"no object {path} in {self.uri}")

    def exists(self, path: str) -> bool:
        """See `Store.exists`."""
        target = self._at(path)
        with explained(target):
            try:
                # Not `is_file()`: that says False where it is not allowed to look.
                return not stat.S_ISDIR(target.stat().st_mode)
            except (FileNotFoundError, NotADirectoryError):
                self._require_root()
        return False

    def list(self, prefix: str) -> Paths:
        """See `Store.list`."""
        top = self._root / check_folder(prefix)
        with explained(top):
            self._require_root()
            found = [
                os.path.relpath(os.path.join(folder, name), self._root)
                for folder, _, names in os.walk(top, onerror=_raise_unless_gone)
                for name in names
            ]
        return sorted(path for path in found if not is_hidden(path))

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        target = self._at(path)
        with explained(target):
            if not target.is_dir():
                with suppress(FileNotFoundError, NotADirectoryError):
                    target.unlink()

    def filesystem(self) -> tuple["FileSystem", str]:
        """See `Store.filesystem`."""
        from pyarrow.fs import LocalFileSystem  # noqa: PLC0415 - 0.2 s that writers need not pay

        return LocalFileSystem(), self.uri

    def prepare(self) -> None:
        """Make the folder where it is missing, and remove what dead writers have left in it."""
        with explained(self._root):
            missing = [f for f in (self._root, *self._root.parents) if not f.exists()]
            self._root.mkdir(parents=True, exist_ok=True)
            for folder in missing:
                sync(folder.parent)
            self._remove_stale()

    def check(self) -> None:
        """Raise `UserError` unless there is a folder that can be listed."""
        with explained(self._root):
            self._require_root()
            os.scandir(self._root).close()

    def _at(self, path: str) -> Path:
        return self._root / check_path(path)

    def _require_root(self) -> None:
        """Refuse to call an object absent because a disk is not mounted."""
        if not stat.S_ISDIR(self._root.stat().st_mode):
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory", self.uri)

    def _remove_stale(self) -> None:
        for temp in (self._root / TEMP_FOLDER).glob("*"):
            with suppress(FileNotFoundError):  # its writer lives, or another opener was faster
                if time.time() - temp.stat().st_mtime > STALE:
                    temp.unlink()


def _raise_unless_gone(error: OSError) -> None:
    """Let `os.walk` pass over a missing folder, and nothing else (its default: everything)."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
