"""A folder that appears whole or not at all."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dass_ray.errors import UserError


@contextmanager
def appearing(out: Path) -> Iterator[Path]:
    """A folder to fill, beside its place; it is renamed to `out` at the end.

    Nothing is left where the filling raises. UserError where the disk refuses.
    """
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
        try:
            yield folder
            folder.chmod(0o755)
            folder.rename(out)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError as error:
        raise UserError(f"cannot write {out}: {error.strerror}") from None
