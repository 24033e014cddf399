import os

import pytest
from pyarrow.fs import LocalFileSystem

from dass_ray.errors import UserError
from dass_ray.store import arrow
from dass_ray.store.arrow import ArrowStore


@pytest.fixture
def store(tmp_path):
    (tmp_path / "store").mkdir()
    return ArrowStore(LocalFileSystem(), str(tmp_path / "store"), "local")


def test_says_that_it_is_weaker(store):
    assert store.exclusive is False
    assert "Weaker" in ArrowStore.__doc__


def test_put_leaves_no_temporary_object(store, tmp_path):
    store.put("runs/a", b"x")
    store.put("runs/a", b"y")
    assert os.listdir(tmp_path / "store" / ".tmp") == []


def test_failed_put_leaves_nothing_and_says_so_in_one_line(store, tmp_path):
    store.put("runs/a", b"x")
    with pytest.raises(UserError, match=r"runs/a/b in local: .*check the URI") as caught:
        store.put("runs/a/b", b"x")
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path / "store" / ".tmp") == []
    assert store.list("") == ["runs/a"]


def test_temporary_objects_are_not_listed(store, tmp_path):
    (tmp_path / "store" / ".tmp").mkdir()
    (tmp_path / "store" / ".tmp" / "left").write_bytes(b"x")
    assert store.list("") == []


def test_object_that_goes_between_look_and_read_is_not_found(store, monkeypatch):
    store.put("a", b"x")

    def gone(_target):
        raise FileNotFoundError

    monkeypatch.setattr(store, "_read", gone)
    with pytest.raises(arrow.NotFound):
        store.get("a")


def test_slow_file_system_is_given_up(store, monkeypatch):
    def slow(seconds, work):
        raise TimeoutError

    monkeypatch.setattr(arrow, "within", slow)
    for call in (store.get, store.exists, store.list, store.delete):
        with pytest.raises(UserError, match="answers too slowly"):
            call("a")


def test_unknown_kind_of_file_system():
    with pytest.raises(UserError, match="foo://x: Unrecognized filesystem type") as caught:
        ArrowStore.connect("foo://x")
    assert "\n" not in str(caught.value)
