"""What a reader of the ledger sees: the newest manifest and the loose parts beside it."""

from dataclasses import dataclass

from dass_ray.ledger.manifest import LOOSE, Manifest, newest
from dass_ray.store.base import Store


@dataclass(frozen=True)
class Snapshot:
    """All rows that were committed before it was taken are in it."""

    manifest: Manifest
    listed: tuple[str, ...]  # all loose parts, sorted
    loose: tuple[str, ...]  # those that the manifest does not cover

    @classmethod
    def of(cls, store: Store) -> "Snapshot":
        """One list of the loose parts (a request per 1,000 of them), then the newest manifest.

        In this order no row can be missed: a loose part that is not listed any more was deleted
        after a manifest that covers it, so the manifest read now covers it too.
        """
        listed = tuple(store.list(LOOSE))
        manifest = newest(store)
        covered = frozenset(manifest.covered)
        return cls(manifest, listed, tuple(path for path in listed if path not in covered))
