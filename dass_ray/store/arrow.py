"""A store on any other file system that pyarrow knows: gs://, abfs://, hdfs://."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TypeVar
from uuid import uuid4

from pyarrow import ArrowException
from pyarrow.fs import FileSelector, FileSystem, FileType

from dass_ray.errors import UserError
from dass_ray.store.base import TEMP_FOLDER, NotFound, Paths, check_folder, check_path, is_hidden
from dass_ray.store.deadline import patience, within

if TYPE_CHECKING:
    from pyarrow.fs import FileInfo

T = TypeVar("T")


class ArrowStore:
    """Writes a whole temporary object, then moves it into place (see `Store`).

    Weaker than the other stores: pyarrow has no conditional put, so between the look whether the
    path is free and the move another writer may come. Then both puts return True and the later
    object stays. Objects are still complete or absent, which is enough where the same path always
    gets the same result, as a run's key does. Whether a returned put survives a power cut is for
    the file system to say. A writer that is killed leaves its object in `.tmp/`.
    """

    exclusive = False

    def __init__(self, files: FileSystem, root: str, uri: str) -> None:
        self._files = files
        self._root = root.rstrip("/")
        self.uri = uri

    @classmethod
    def connect(cls, uri: str) -> "ArrowStore":
        """Return the store at `uri`, or raise `UserError` where pyarrow cannot open it."""
        with _explained(uri):
            files, root = FileSystem.from_uri(uri)
        return cls(files, root, uri)

    def put(self, path: str, data: bytes) -> bool:
        """See `Store.put`."""
        target = self._at(check_path(path))
        temp = self._at(f"{TEMP_FOLDER}/{uuid4().hex}")
        with _explained(f"{path} in {self.uri}"):
            try:
                within(patience(len(data)), lambda: self._write(temp, data))
                return within(patience(len(data)), lambda: self._move(temp, target))
            finally:
                # Gone if it was moved, and an earlier error says more than this one would.
                with suppress(OSError, ArrowException):
                    within(patience(0), lambda: self._files.delete_file(temp))

    def get(self, path: str) -> bytes:
        """See `Store.get`."""
        target = self._at(check_path(path))
        with _explained(f"{path} in {self.uri}"):
            info = self._info(target)
            if info.is_file:
                with suppress(FileNotFoundError):
                    return within(patience(info.size), lambda: self._read(target))
        raise NotFound(f"no object {path} in {self.uri}")

    def exists(self, path: str) -> bool:
        """See `Store.exists`."""
        target = self._at(check_path(path))
        with _explained(f"{path} in {self.uri}"):
            return bool(self._info(target).is_file)

    def list(self, prefix: str) -> Paths:
        """See `Store.list`."""
        top = FileSelector(self._at(check_folder(prefix)), allow_not_found=True, recursive=True)
        with _explained(f"{prefix} in {self.uri}"):
            found: list[FileInfo] = within(patience(0), lambda: self._files.get_file_info(top))
        start = self._at("")
        paths = (info.path.removeprefix(start) for info in found if info.type == FileType.File)
        return sorted(path for path in paths if not is_hidden(path))

    def delete(self, path: str) -> None:
        """See `Store.delete`."""
        target = self._at(check_path(path))
        with _explained(f"{path} in {self.uri}"), suppress(FileNotFoundError):
            if self._info(target).is_file:
                within(patience(0), lambda: self._files.delete_file(target))

    def filesystem(self) -> tuple[FileSystem, str]:
        """See `Store.filesystem`."""
        return self._files, self._root

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}" if self._root else path

    def _info(self, target: str) -> "FileInfo":
        return within(patience(0), lambda: self._files.get_file_info(target))

    def _read(self, target: str) -> bytes:
        with self._files.open_input_file(target) as stream:
            return bytes(stream.read())

    def _write(self, temp: str, data: bytes) -> None:
        self._files.create_dir(self._at(TEMP_FOLDER), recursive=True)
        with self._files.open_output_stream(temp) as stream:
            stream.write(data)

    def _move(self, temp: str, target: str) -> bool:
        if self._files.get_file_info(target).is_file:
            return False
        folder = target.rpartition("/")[0]
        if folder:
            self._files.create_dir(folder, recursive=True)
        self._files.move(temp, target)
        return True


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ArrowException) as error:  # TimeoutError is an OSError
        reason = (str(error).splitlines() or ["the file system answers too slowly"])[0]
        raise UserError(
            f"{where}: {reason}: check the URI, the credentials, the network"
        ) from error
