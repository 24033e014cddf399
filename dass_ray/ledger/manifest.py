"""Which large parts of the ledger count, and which loose parts they stand for."""

from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.records import SCHEMA_VERSION
from dass_ray.store.base import NotFound, Store

FOLDER, LARGE, LOOSE = "manifest", "compacted", "runs"
TRIES = 5  # at an object that others delete


class Large(Frozen):
    """A large part."""

    path: str
    rows: int
    size: int  # bytes


class Manifest(Frozen):
    """One version of the list of large parts; the newest one counts.

    A new version is committed by one conditional put of the next number, so that of several
    writers one wins and the others start again from what it wrote. A loose part whose name is
    covered holds the same runs as some large part, also where it is written a second time: its
    name says which.
    """

    number: int  # from 1; 0: none was written yet
    created_at: float  # s since 1970, by its writer's clock
    parts: tuple[Large, ...] = ()
    covered: tuple[str, ...] = ()  # loose parts that are in `parts` and may still be there
    schema_version: int = SCHEMA_VERSION

    @property
    def path(self) -> str:
        """Where this version is in a store."""
        return f"{FOLDER}/{self.number:08d}.json"


NONE = Manifest(number=0, created_at=0.0)


def newest(store: Store) -> Manifest:
    """The newest version; NONE where nothing was compacted yet. Two requests."""
    for _ in range(TRIES):
        paths = store.list(FOLDER)
        if not paths:
            return NONE
        try:
            return load(store, paths[-1])
        except NotFound:  # so old that it is deleted by now: there are newer ones
            continue
    raise UserError(f"{store.uri}: {paths[-1]} is listed but cannot be read: check the server")


def load(store: Store, path: str) -> Manifest:
    """One version, or NotFound. UserError where a newer version of this program wrote it."""
    found = Manifest.kept(store.get(path), path, store.uri)
    if found.schema_version > SCHEMA_VERSION:
        raise UserError(f"{store.uri}: {path} is of a newer version: upgrade dass-ray")
    return found


def commit(store: Store, manifest: Manifest) -> bool:
    """Makes it the newest version; False where another writer's has its number already."""
    return store.put(manifest.path, manifest.model_dump_json().encode())


def number_of(path: str) -> int:
    """The version of a manifest, or the one that a large part was written for, by its path."""
    return int(path.rpartition("/")[2][:8])
