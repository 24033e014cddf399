import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger import manifest as manifests
from dass_ray.ledger.compact import FEWEST, PARTS, Compacted, compact
from dass_ray.ledger.snapshot import Snapshot
from dass_ray.ledger.sweep import sweep
from dass_ray.store import open_store
from dass_ray.store.arrow import ArrowStore
from dass_ray.watch import Silent

from ..make import row
from .make import Lost, Watched, compacted, keys, killed, parts, refused, streamed


def test_merges_what_is_there(store):
    parts(store, "ab", "cd", "e")
    before = ledger.read(store)
    assert compact(store) == Compacted(merged=3, rows=5)
    assert ledger.read(store) == before
    (large,) = manifests.newest(store).parts
    assert store.list("compacted") == [large.path]
    assert (large.rows, large.size) == (5, len(store.get(large.path)))
    assert Snapshot.of(store).loose == ()


def test_nothing_to_merge(store):
    assert compact(store) == Compacted()
    parts(store, "ab")
    assert FEWEST == 2
    assert compact(store) == Compacted()
    assert store.list("manifest") == []


def test_full_parts_stay_and_the_last_one_grows(store):
    compacted(store)
    first, second = manifests.newest(store).parts
    assert (first.rows, second.rows) == (6, 3)
    compact(store, rows=5)
    assert manifests.newest(store).number == 2
    kept, *grown = manifests.newest(store).parts
    assert kept == first
    assert second not in grown
    assert keys(store) == list("abcdefghixy")  # `a` is in both, and read once


def test_a_step_is_bounded(store):
    parts(store, *"abcdefghijklmnopqrst")
    compact(store, rows=1)
    assert len(manifests.newest(store).parts) == 20
    assert manifests.newest(store).number == -(-20 // PARTS)
    assert keys(store) == list("abcdefghijklmnopqrst")


def test_the_row_that_counted_still_counts(store):
    parts(store, "ab", status="failed", attempt="1")
    ledger.commit(store, [row("a", status="ok", attempt="2")], retried=True)
    ledger.commit(store, [row("b", status="ok", attempt="3"), row("c", status="failed")])
    before = ledger.rows(ledger.read(store))
    assert [(r.key, r.status) for r in before] == [("a", "ok"), ("b", "ok"), ("c", "failed")]
    compact(store)
    assert ledger.rows(ledger.read(store)) == before
    ledger.commit(store, [row("c", status="diverged", attempt="4")], retried=True)
    assert ledger.read(store)["status"].to_pylist() == ["ok", "ok", "diverged"]
    ledger.commit(store, [row("a", status="ok", attempt="5"), row("d")])
    assert ledger.rows(ledger.read(store))[0] == before[0]  # a second writer changes nothing


def test_same_part_again_after_it_was_merged_and_deleted(store):
    parts(store, "ab", "cd")
    compact(store)
    sweep(store, grace=0)
    assert store.list("runs") == []
    parts(store, "ab")
    assert Snapshot.of(store).loose == ()  # the manifest says that it has these runs
    assert keys(store) == list("abcd")


def test_a_manifest_forgets_parts_that_are_deleted(store):
    parts(store, "ab", "cd")
    compact(store)
    assert len(manifests.newest(store).covered) == 2
    sweep(store, grace=0)
    parts(store, "ef", "gh")
    compact(store)
    assert manifests.newest(store).covered == tuple(store.list("runs"))
    assert keys(store) == list("abcdefgh")


@pytest.mark.parametrize("method", ["put", "get", "list", "delete"])
@pytest.mark.parametrize("ending", [killed, refused])
def test_killed_at_any_call(tmp_path, method, ending):
    """At each call in turn: nothing is lost, nothing is double, and the next one finishes."""
    for at in range(1, 40):
        store = compacted(open_store(str(tmp_path / f"{at}")))
        broken = Watched(store, method, at, ending)
        try:
            compact(broken, rows=5)
            sweep(broken, grace=0)
        except (Lost, UserError):
            assert keys(store) == streamed(store) == list("abcdefghixy")
            compact(store, rows=5)
            sweep(store, grace=0)
            _clean(store)
            assert keys(store) == list("abcdefghixy")
        else:
            break
    assert at > 2


def _clean(store):
    newest = manifests.newest(store)
    assert store.list("runs") == []
    assert store.list("manifest") == [newest.path]
    assert store.list("compacted") == sorted(part.path for part in newest.parts)


def test_the_slower_of_two_starts_again(store):
    parts(store, "ab", "cd", "ef")
    slow = Watched(store, "put", 2, lambda: compact(store))  # its large part is written
    assert compact(slow) == Compacted(lost=1)
    assert manifests.newest(store).number == 1
    assert len(store.list("compacted")) == 1  # it took its own away
    assert keys(store) == list("abcdef")


def test_parts_that_others_merged_and_deleted_are_no_error(store):
    parts(store, "ab", "cd", "ef")

    def faster():
        compact(store)
        sweep(store, grace=0)

    slow = Watched(store, "get", 1, faster)
    assert compact(slow) == Compacted(lost=1)
    assert keys(store) == list("abcdef")


def test_a_lost_large_part_is_named(store):
    compacted(store)
    store.delete(manifests.newest(store).parts[-1].path)
    with pytest.raises(UserError, match=r"compacted/00000001-.*restore it"):
        compact(store, rows=5)


def test_gives_up_where_others_always_win(store, monkeypatch):
    parts(store, "ab", "cd")
    monkeypatch.setattr(manifests, "commit", lambda *_: False)
    with pytest.raises(UserError, match="other compactors are at work: run again later"):
        compact(store)
    assert store.list("compacted") == []


def test_needs_conditional_puts():
    with pytest.raises(UserError, match="no conditional puts"):
        compact(ArrowStore.connect("mock:///folder"))


def test_tells_how_far_it_is(store):
    told = []

    class Watcher(Silent):
        def phase(self, name, total):
            told.append((name, total))

        def step(self, done, note):
            told.append(done)

    parts(store, *"abcdefghijkl")
    compact(store, Watcher(), rows=1)
    assert told == [("merging parts", 12), 8, 12]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from(["a", "b", "ab", "abc", "cd", "de", "compact", "sweep"])))
def test_any_order_of_commits_compactions_and_sweeps(tmp_path_factory, steps):
    store = open_store(str(tmp_path_factory.mktemp("store")))
    for step in steps:
        if step == "compact":
            compact(store, rows=3)
        elif step == "sweep":
            sweep(store, grace=0)
        else:
            parts(store, step)
        said = sorted({key for word in steps[: steps.index(step)] for key in word if len(word) < 4})
        assert set(said) <= set(keys(store))
    expected = sorted({key for word in steps if len(word) < 4 for key in word})
    assert keys(store) == streamed(store) == expected


def test_readers_writers_and_compactors_at_once(store):
    """With no grace at all: each reader sees all that was committed before it began, each once."""
    written, done = [], threading.Event()

    def write():
        for number in range(60):
            ledger.commit(store, [row(f"{number:02}{letter}") for letter in "abc"])
            written.append(f"{number:02}")
        done.set()

    def merge():
        while not done.is_set():
            compact(store, rows=20)
            sweep(store, grace=0)

    def read():
        while not done.is_set():
            there = list(written)
            found = [
                key for table in ledger.batches(store, ["seed"]) for key in table["key"].to_pylist()
            ]
            assert len(found) == len(set(found))
            assert {f"{number}{letter}" for number in there for letter in "abc"} <= set(found)

    with ThreadPoolExecutor(5) as pool:
        jobs = [pool.submit(work) for work in (write, merge, merge, read, read)]
        for job in jobs:
            job.result(timeout=60)
    assert len(keys(store)) == 180
