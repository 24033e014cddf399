"""Deleting what compaction has made superfluous, once nobody can need it."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import time

from dass_ray.ledger.manifest import FOLDER, LARGE, LOOSE, NONE, Manifest, load, number_of
from dass_ray.store.base import NotFound, Store
from dass_ray.watch import Silent, Watcher

GRACE = 3600.0  # s that a reader may go on with a manifest that is not the newest any more
DELETERS = 16


def sweep(store: Store, watcher: Watcher | None = None, *, grace: float = GRACE) -> int:
    """Deletes what no manifest needs that was the newest within `grace` seconds; returns how much.

    Loose parts that all of those cover, large ones that none of them names, and older manifests.
    A reader that is slower than the grace period starts again and misses nothing.
    """
    watcher = watcher or Silent()
    paths = superfluous(store, time() - grace)
    watcher.phase("deleting merged parts", len(paths))
    with ThreadPoolExecutor(DELETERS) as pool:
        for number, _ in enumerate(pool.map(store.delete, paths), 1):
            watcher.step(number, "")
    return len(paths)


def superfluous(store: Store, since: float) -> list[str]:
    """The paths that no manifest needs that was the newest one after `since` (s since 1970)."""
    listed = store.list(FOLDER)
    manifests = _all(store, listed)
    alive = _alive([NONE, *manifests], since)
    named = {part.path for manifest in alive for part in manifest.parts}
    covered = frozenset[str].intersection(*(frozenset(m.covered) for m in (alive[0], alive[-1])))
    # A large part for a number above the newest one may be committed yet; below, it never can.
    out = [p for p in store.list(LARGE) if p not in named and number_of(p) <= alive[-1].number]
    out += [path for path in store.list(LOOSE) if path in covered]
    return out + [path for path in listed if number_of(path) < alive[0].number]


def _all(store: Store, paths: Sequence[str]) -> list[Manifest]:
    out = []
    for path in paths:
        try:
            out.append(load(store, path))
        except NotFound:  # another sweep was faster; it leaves the newest ones
            continue
    return out


def _alive(manifests: Sequence[Manifest], since: float) -> Sequence[Manifest]:
    """The newest manifest, and those before it whose successor was written after `since`."""
    for place, (_, following) in enumerate(pairwise(manifests)):
        if following.created_at >= since:
            return manifests[place:]
    return manifests[-1:]
