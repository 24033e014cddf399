"""A store that nobody has made yet, to be looked at."""

from typing import TYPE_CHECKING, NoReturn

from dass_ray.store.base import NotFound, Paths

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem


class EmptyStore:
    """Has no object, and takes none (see `Store`)."""

    exclusive = True

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def put(self, path: str, data: bytes) -> bool:
        """Not for looking."""
        self._refuse()

    def get(self, path: str) -> bytes:
        """See `Store.get`."""
        raise NotFound(f"no object {path} in {self.uri}")

    def exists(self, path: str) -> bool:
        """See `Store.exists`."""
        return False

    def list(self, prefix: str) -> Paths:
        """See `Store.list`."""
        return []

    def delete(self, path: str) -> None:
        """See `Store.delete`."""

    def filesystem(self) -> tuple["FileSystem", str]:
        """Not for what has no Parquet."""
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise AssertionError(f"{self.uri} is only looked at")
