"""The steps of a commit on a local disk, and what to tell people when one fails."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from dass_ray.errors import UserError

ADVICE = {
    errno.ENOSPC: "free some space or choose another store",
    errno.EDQUOT: "free some of your quota or choose another store",
    errno.EFBIG: "raise the limit on file sizes (ulimit -f) or choose another store",
    errno.EROFS: "choose a store on a writable file system",
    errno.EACCES: "get the rights for it or choose another store",
    errno.EPERM: "choose a store that you own, on a file system with hard links",
    errno.EOPNOTSUPP: "choose a store on a file system with hard links",
    errno.ENAMETOOLONG: "choose a shorter path",
    errno.ENOTDIR: "a part of this path is a file; choose another path",
    errno.EEXIST: "a part of this path is a file; choose another path",
    errno.ENOENT: "check that the store is still there and mounted",
}


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise an `OSError` of the block as a `UserError` with the path and what to do."""
    try:
        yield
    except OSError as error:
        advice = ADVICE.get(error.errno or 0, "check this disk")
        raise UserError(f"{path}: {error.strerror or error}: {advice}") from error


@contextmanager
def temporary(folder: Path, data: bytes) -> Iterator[Path]:
    """Give a file in `folder` with `data` in it, on the disk, and remove it after the block."""
    temp = folder / uuid4().hex
    try:
        with open(temp, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        yield temp
    finally:
        temp.unlink(missing_ok=True)


def link(temp: Path, target: Path) -> bool:
    """Give the file at `temp` the name `target` as well, or return False where that is taken."""
    try:
        os.link(temp, target)
    except FileExistsError:
        if target.is_dir():
            raise UserError(f"{target} is a folder of objects: choose another path") from None
        # NFS may lose the answer to a link and find it done when it asks again: then it is ours.
        return temp.stat().st_nlink > 1
    return True


def sync(folder: Path) -> None:
    """Bring the names in this folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
