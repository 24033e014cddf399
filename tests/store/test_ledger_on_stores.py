"""The ledger's promises, on every implementation of a store."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger import manifest as manifests
from dass_ray.ledger.compact import compact
from dass_ray.ledger.sweep import sweep

from ..ledger.make import keys, parts, streamed
from ..make import row

ALL = list("abcdefghi")


@pytest.fixture
def filled(store):
    parts(store, "abc", "def", dataset="x")
    parts(store, "ghi", dataset="y")
    return store


class TestLedger:
    def test_reads_what_was_committed(self, filled):
        assert keys(filled) == streamed(filled) == ALL
        assert ledger.read(filled, ["seed"], [("dataset", "==", "y")])["key"].to_pylist() == ALL[6:]

    def test_part_is_committed_once(self, filled):
        assert ledger.commit(filled, [row(key) for key in "abc"]) is False
        assert keys(filled) == ALL

    def test_compaction(self, filled):
        before = ledger.read(filled)
        if not filled.exclusive:
            with pytest.raises(UserError, match="no conditional puts"):
                compact(filled)
            return
        assert compact(filled, rows=5).merged == 3
        assert sweep(filled, grace=0) == 3
        assert filled.list("runs") == []
        assert len(filled.list("compacted")) == 2
        assert ledger.read(filled) == before
        assert streamed(filled, where=[("dataset", "==", "y")]) == ALL[6:]

    def test_committers_of_one_run_and_compactors_at_once(self, filled):
        """Sixteen commit the same run, each twice, while two merge and delete what is merged."""
        start = threading.Barrier(18)

        def commit(number):
            start.wait()
            return sum(ledger.commit(filled, [row("z", attempt=f"{number}")]) for _ in range(2))

        def merge(_):
            start.wait()
            for _ in range(4 if filled.exclusive else 0):
                compact(filled, rows=5)
                sweep(filled, grace=0)

        with ThreadPoolExecutor(18) as pool:
            merged, won = pool.map(merge, range(2)), pool.map(commit, range(16))
            assert (len(list(merged)), sum(won) >= 1) == (2, True)
        assert keys(filled) == streamed(filled) == [*ALL, "z"]

    def test_compactors_at_once(self, filled):
        if not filled.exclusive:
            return
        start = threading.Barrier(4)

        def merge(_):
            start.wait()
            return compact(filled, rows=100)

        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(merge, range(4)))
        assert sum(one.merged for one in found) == 3
        assert manifests.newest(filled).number == 1
        sweep(filled, grace=0)
        assert len(filled.list("compacted")) == 1
        assert keys(filled) == ALL
