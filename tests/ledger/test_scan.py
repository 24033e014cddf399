import pyarrow as pa
import pytest

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger import loose as loose_module
from dass_ray.ledger import part as part_module
from dass_ray.ledger.compact import compact
from dass_ray.ledger.once import Once
from dass_ray.ledger.snapshot import Snapshot
from dass_ray.ledger.sweep import sweep
from dass_ray.records import ROW_SCHEMA
from dass_ray.store import retry

from ..make import row
from .make import Watched, compacted, parts, streamed


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch):
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.0)


@pytest.fixture(params=["loose", "large", "both"])
def mixed(store, request):
    """Runs of two data sets, of which some failed, diverged or are there twice."""
    ledger.commit(store, [row("a", dataset="x", status="failed"), row("b", dataset="x", seed=1)])
    ledger.commit(store, [row("c", dataset="y", status="diverged"), row("d", dataset="y", seed=2)])
    if request.param == "both":
        compact(store)
    ledger.commit(store, [row("a", dataset="x", status="ok", attempt="2")], retried=True)
    ledger.commit(store, [row("e", dataset="y", status="failed", seed=3)])
    if request.param == "large":
        compact(store)
        assert Snapshot.of(store).loose == ()
    return store


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ([], "abcde"),
        ([("dataset", "==", "x")], "ab"),
        ([("dataset", "==", "x"), ("seed", ">", 0)], "b"),
        ([("status", "==", "ok")], "abd"),
        ([("status", "==", "failed")], "e"),  # not `a`, whose failed row does not count
        ([("status", "!=", "ok"), ("dataset", "in", ["y", "z"])], "ce"),
        ([("key", "in", ["a", "e", "none"])], "ae"),
        ([("key", "in", [])], ""),
        ([("status", "in", ["diverged"])], "c"),
        ([("dataset", "==", "none")], ""),
    ],
)
def test_conditions(mixed, where, expected):
    assert streamed(mixed, where=where) == list(expected)
    assert ledger.read(mixed, ["seed"], where)["key"].to_pylist() == list(expected)
    assert ledger.read(mixed, ["spec"], where).column_names == ["key", "schema_version", "spec"]


def test_table_is_the_same_from_parts_of_any_kind(mixed):
    before = ledger.read(mixed)
    assert before.schema == ROW_SCHEMA
    compact(mixed)
    assert ledger.read(mixed) == before


def test_unknown_column(store):
    with pytest.raises(UserError, match="a run has no 'colour'; it has key, status"):
        ledger.read(store, ["colour"])
    with pytest.raises(UserError, match="no 'colour'"):
        ledger.read(store, where=[("colour", "==", 1)])


def test_done_keys(store):
    compacted(store)
    found = ledger.done_keys(store)
    assert len(found) == 11
    assert found.holds(["a", "y", "z", "aa", ""]).tolist() == [True, True, False, False, False]


def test_batches_are_small(store, monkeypatch):
    for module in (part_module, loose_module):
        monkeypatch.setattr(module, "GROUP", 4)
    parts(store, *"abcdefghij")
    assert [len(table) for table in ledger.batches(store)] == [4, 4, 2]


def test_loose_parts_are_not_all_fetched_at_once(store, monkeypatch):
    monkeypatch.setattr(loose_module, "AHEAD", 2)
    monkeypatch.setattr(loose_module, "GROUP", 1)
    parts(store, *"abcdefghij")
    seen = Watched(store)
    found = ledger.batches(seen)
    next(found)
    assert sum(name == "get" for name, _ in seen.asked) <= 3
    found.close()


def swept(store):
    def do():
        compact(store, rows=5)
        sweep(store, grace=0)

    return do


@pytest.mark.parametrize(
    ("method", "at"), [("get", 1), ("get", 2), ("get", 3), ("list", 1), ("list", 2)]
)
def test_parts_that_go_while_they_are_listed_and_read(store, method, at):
    """A reader far behind: what it had listed is merged and deleted before it comes to it."""
    compacted(store)
    late = Watched(store, method, at, swept(store))
    assert streamed(late) == list("abcdefghixy")
    assert late.calls >= at


@pytest.mark.parametrize("at", [1, 2])
def test_nothing_is_missed_between_the_lists(store, at):
    """Whoever asked for the manifest first would see neither the loose parts nor the large one."""
    parts(store, "abc", "def")
    assert streamed(Watched(store, "list", at, swept(store))) == list("abcdef")


def test_large_parts_that_go_while_they_are_read(store):
    compacted(store)
    late = Watched(store)
    late.filesystem = lambda: (swept(store)(), store.filesystem())[1]
    assert streamed(late) == list("abcdefghixy")


def test_a_part_that_is_gone_for_good_is_an_error(store):
    compacted(store)
    for path in store.list("compacted"):
        store.delete(path)
    with pytest.raises(UserError, match=r"no object compacted/.*5 times in a row"):
        ledger.read(store)


def test_a_large_part_that_cannot_be_read_is_an_error(store):
    compacted(store)
    (first, *_) = store.list("compacted")
    store.delete(first)
    store.put(first, b"no Parquet at all")
    with pytest.raises(UserError, match=r"cannot read compacted/.*run again") as caught:
        ledger.read(store)
    assert "\n" not in str(caught.value)


def test_a_large_part_that_is_readable_the_second_time(store, monkeypatch):
    compacted(store)
    late, errors = Watched(store), [OSError("AWS Error SLOW_DOWN")]
    late.filesystem = lambda: _raise(errors.pop()) if errors else store.filesystem()
    assert streamed(late) == list("abcdefghixy")
    assert errors == []


def _raise(error):
    raise error


def test_one_request_a_loose_part_and_few_more(store):
    parts(store, *"abcdefghij")
    seen = Watched(store)
    ledger.done_keys(seen)
    assert sorted(name for name, _ in seen.asked) == ["get"] * 10 + ["list"] * 2


def test_keys_are_seen_once_however_they_come():
    once = Once()
    passed = []
    for number in range(50):
        some = [f"{(7 * number + i) % 90:064d}"[::-1] for i in range(11)]
        table = pa.table({"key": [*some, *some], "status": ["ok"] * 22})
        passed += once.new(table)["key"].to_pylist()
    assert len(passed) == len(set(passed)) == 90
