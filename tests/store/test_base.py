"""The contract of `Store`, on every implementation."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from dass_ray.errors import UserError
from dass_ray.store.base import NotFound

WRITERS = 16
BAD_PATHS = ["", "/a", "a/", "a//b", ".", "a/./b", "..", "a/../b", "a\\b", "a\0", "a\n", ".tmp/a"]


def at_once(count, work):
    """Return `work(i)` of `count` threads that start together."""
    start = threading.Barrier(count)

    def run(index):
        start.wait()
        return work(index)

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(run, range(count)))


class TestStore:
    def test_first_put_creates_and_second_changes_nothing(self, store):
        assert store.put("runs/00/a", b"first") is True
        assert store.put("runs/00/a", b"second") is False
        assert store.get("runs/00/a") == b"first"

    def test_equal_bytes_of_another_put_are_not_taken_for_its_own(self, store):
        assert store.put("a", b"same") is True
        assert store.put("a", b"same") is False

    @pytest.mark.parametrize("data", [b"", bytes(range(256)) * 20_000], ids=["empty", "5 MB"])
    def test_bytes_come_back_as_they_went(self, store, data):
        assert store.put("a", data)
        assert store.get("a") == data

    @pytest.mark.parametrize("path", ["a b", "ü/é", "a+b=c&d?e#f%20", "_a", "x.tmp/.tmp", "~"])
    def test_unusual_names(self, store, path):
        assert store.put(path, b"x")
        assert store.get(path) == b"x"
        assert store.list("") == [path]

    def test_another_client_sees_it(self, place):
        place.open().put("a", b"x")
        assert place.open().get("a") == b"x"

    def test_one_winner_of_many_threads(self, store):
        bodies = [bytes([index]) * 100_000 for index in range(WRITERS)]
        won = at_once(WRITERS, lambda index: store.put("runs/key", bodies[index]))
        assert any(won)
        assert store.get("runs/key") in bodies
        assert store.list("") == ["runs/key"]
        if store.exclusive:
            assert won.count(True) == 1
            assert store.get("runs/key") == bodies[won.index(True)]

    def test_many_threads_making_one_folder(self, store):
        assert all(at_once(WRITERS, lambda index: store.put(f"new/folder/{index}", b"x")))
        assert len(store.list("new/folder")) == WRITERS

    def test_readers_see_whole_objects_only(self, place):
        body = b"x" * 300_000
        writer, reader, done = place.open(), place.open(), threading.Event()

        def write():
            for index in range(30):
                writer.put(f"runs/{index:02}", body)
            done.set()

        seen = []
        with ThreadPoolExecutor(1) as thread:
            writing = thread.submit(write)
            while not done.is_set() and not writing.done():
                seen.append(reader.list("runs"))
                assert all(reader.get(path) == body for path in seen[-1][-2:])
            writing.result()
        assert seen == sorted(seen, key=len)
        assert reader.list("runs") == [f"runs/{index:02}" for index in range(30)]

    def test_missing_object(self, store):
        with pytest.raises(NotFound, match="no object runs/a in"):
            store.get("runs/a")
        assert isinstance(NotFound("x"), KeyError)
        assert not store.exists("runs/a")

    def test_folder_is_not_an_object(self, store):
        store.put("runs/a", b"x")
        assert store.exists("runs/a")
        assert not store.exists("runs")
        with pytest.raises(NotFound):
            store.get("runs")
        store.delete("runs")
        assert store.list("") == ["runs/a"]

    def test_object_is_not_a_folder(self, store):
        store.put("a", b"x")
        assert not store.exists("a/b")
        assert store.list("a") == []
        with pytest.raises(NotFound):
            store.get("a/b")
        store.delete("a/b")
        assert store.exists("a")

    def test_list_gives_sorted_paths_below_a_folder(self, store):
        for path in ["b", "runs/1/z", "runs/1/a", "runs/0", "runs2/a"]:
            store.put(path, b"x")
        assert store.list("") == ["b", "runs/0", "runs/1/a", "runs/1/z", "runs2/a"]
        assert store.list("runs") == store.list("runs/") == ["runs/0", "runs/1/a", "runs/1/z"]
        assert store.list("runs/1") == ["runs/1/a", "runs/1/z"]
        assert store.list("none") == []

    def test_list_hides_probes_but_not_namesakes(self, store):
        store.put("_probe/a", b"x")
        store.put("runs/_probe/a", b"x")
        assert store.list("") == ["runs/_probe/a"]
        assert store.list("_probe") == []

    def test_deleted_object_is_gone_and_may_come_again(self, store):
        store.put("a/b", b"x")
        store.delete("a/b")
        store.delete("a/b")
        assert not store.exists("a/b")
        assert store.list("") == []
        assert store.put("a/b", b"y")
        assert store.get("a/b") == b"y"

    def test_bad_paths_are_refused_by_every_method(self, store):
        calls = (store.get, store.exists, store.delete, lambda path: store.put(path, b"x"))
        for path in BAD_PATHS:
            for call in calls if path in ("", "a/") else (*calls, store.list):
                with pytest.raises(UserError, match="bad store path"):
                    call(path)
        assert store.list("") == []

    def test_parquet_scan(self, store):
        for part in range(3):
            sink = pa.BufferOutputStream()
            pq.write_table(pa.table({"part": [part] * 5}), sink)
            store.put(f"runs/{part}.parquet", sink.getvalue().to_pybytes())
        files, root = store.filesystem()
        folder = "/".join(filter(None, (root, "runs")))
        table = ds.dataset(folder, filesystem=files, format="parquet").to_table()
        assert sorted(table["part"].to_pylist()) == [0] * 5 + [1] * 5 + [2] * 5
