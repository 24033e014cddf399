from dass_ray import ledger
from dass_ray.ledger import manifest as manifests
from dass_ray.ledger.compact import compact
from dass_ray.ledger.sweep import superfluous, sweep

from .make import compacted, keys, parts


def test_empty_store(store):
    assert sweep(store, grace=0) == 0


def test_nothing_goes_within_the_grace_period(store):
    parts(store, "ab", "cd")
    compact(store)
    before = store.list("")
    assert sweep(store) == 0
    assert store.list("") == before


def test_what_is_merged_goes_after_it(store):
    parts(store, "ab", "cd")
    compact(store)
    parts(store, "ef")
    assert sweep(store, grace=0) == 2
    assert len(store.list("runs")) == 1
    assert keys(store) == list("abcdef")


def test_what_an_older_manifest_needs_stays_while_a_reader_may_have_it(store):
    compacted(store)
    first = manifests.newest(store)
    full, small = (part.path for part in first.parts)
    parts_of_first, loose = set(first.covered), set(store.list("runs")) - set(first.covered)
    compact(store, rows=5)
    second = manifests.newest(store)
    # One who began before the second manifest reads both large parts of the first one and the loose
    # parts beside it; those of which the first was made are nobody's any more.
    assert set(superfluous(store, since=second.created_at)) == parts_of_first
    later = superfluous(store, since=second.created_at + 1)
    assert set(later) == {*parts_of_first, *loose, small, first.path}
    assert full not in later


def test_what_a_killed_compactor_left_goes_once_its_number_is_taken(store):
    parts(store, "ab", "cd")
    store.put("compacted/00000001-left.parquet", b"x")
    store.put("compacted/00000002-left.parquet", b"x")
    assert sweep(store, grace=0) == 0  # both may be committed yet
    compact(store)
    sweep(store, grace=0)
    assert "compacted/00000001-left.parquet" not in store.list("compacted")
    assert "compacted/00000002-left.parquet" in store.list("compacted")


def test_a_manifest_of_a_number_that_was_swept_counts_for_nothing(store):
    """A compactor that slept through steps of others and a sweep of their manifests."""
    compacted(store)
    compact(store, rows=5)
    sweep(store, grace=0)
    assert manifests.commit(store, manifests.Manifest(number=1, created_at=0.0))
    assert keys(store) == list("abcdefghixy")
    sweep(store, grace=0)
    assert store.list("manifest") == ["manifest/00000002.json"]
    assert ledger.done(store) == set("abcdefghixy")
