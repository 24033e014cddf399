"""Arrays that are too large for memory: files that the operating system pages in and out.

Processes that map one file share its pages, and pages that are not used can leave the memory. The
files lie in the folder for temporary files (`TMPDIR`).
"""

import fcntl
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

IN_MEMORY = "DASS_RAY_IN_MEMORY_GIB"
"""Environment variable: the most GiB that a data set or its soft labels take in memory."""
_DEFAULT_GIB = 2.0


def is_large(size: float) -> bool:
    """Whether so many bytes are kept in a file."""
    return size > float(os.environ.get(IN_MEMORY, _DEFAULT_GIB)) * 2**30


def zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor of zeros on the host; a large one lies in a file, which goes with the tensor."""
    if not is_large(math.prod(shape) * dtype.itemsize):
        return torch.zeros(shape, dtype=dtype)
    handle, path = tempfile.mkstemp(prefix="dass_ray-")
    try:
        os.close(handle)
        return open_tensor(Path(path), shape, dtype)
    finally:
        os.unlink(path)


def open_tensor(path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A tensor over a file of its size, which is made, of zeros, if it is shorter."""
    return torch.from_file(str(path), shared=True, size=math.prod(shape), dtype=dtype).view(shape)


def made_once(key: str, make: Callable[[Path], None]) -> Path:
    """The folder under `key` for all processes of this node and user; the first one fills it.

    It is complete or absent, and may be deleted whenever no process needs it.
    """
    home = Path(tempfile.gettempdir(), f"dass_ray-{os.getuid()}")
    home.mkdir(mode=0o700, exist_ok=True)
    if home.stat().st_uid != os.getuid():
        raise PermissionError(f"{home} belongs to another user: set TMPDIR to another folder")
    folder = home / key
    with open(home / f"{key}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # goes with the process, however that ends
        if not folder.is_dir():
            part = home / f"{key}.part"
            shutil.rmtree(part, ignore_errors=True)  # of a maker that was killed
            part.mkdir()
            make(part)
            part.rename(folder)
    return folder
