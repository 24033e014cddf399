import os
from pathlib import Path

import pytest

from dass_ray.errors import UserError
from dass_ray.store import look, open_store, probe
from dass_ray.store.arrow import ArrowStore
from dass_ray.store.base import NotFound
from dass_ray.store.local import LocalStore

from . import child


def test_makes_a_missing_folder(tmp_path):
    store = open_store(str(tmp_path / "new" / "store"))
    assert store.list("") == []
    assert [name for _, _, names in os.walk(tmp_path) for name in names] == []


def test_reading_makes_nothing(tmp_path):
    with pytest.raises(UserError, match="still there and mounted"):
        open_store(str(tmp_path / "store"), write=False)
    assert os.listdir(tmp_path) == []
    (tmp_path / "store").mkdir()
    assert open_store(str(tmp_path / "store"), write=False).list("") == []
    assert os.listdir(tmp_path / "store") == []


def test_a_dry_run_looks_at_a_missing_folder_as_empty(tmp_path):
    store = look(str(tmp_path / "store"))
    assert (store.list(""), store.exists("a")) == ([], False)
    with pytest.raises(NotFound):
        store.get("a")
    with pytest.raises(AssertionError):
        store.put("a", b"x")
    assert os.listdir(tmp_path) == []
    (tmp_path / "store").mkdir()
    assert isinstance(look(str(tmp_path / "store")), LocalStore)


def test_file_is_not_a_store(tmp_path):
    (tmp_path / "file").write_bytes(b"x")
    for write in (True, False):
        with pytest.raises(UserError, match=r"/file: "):
            open_store(str(tmp_path / "file"), write=write)


def test_forms_of_one_local_store(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    forms = ["my store", "./my store", "~/my store", f"file://{tmp_path}/my%20store"]
    stores = [open_store(form) for form in [*forms, f"FILE://localhost{tmp_path}/my%20store"]]
    assert all(isinstance(store, LocalStore) for store in stores)
    assert {store.uri for store in stores} == {str(tmp_path / "my store")}
    stores[0].put("a", b"x")
    monkeypatch.chdir("/")
    assert open_store(stores[1].uri).get("a") == b"x"


@pytest.mark.parametrize("uri", ["", "s3:/bucket/a", "file:a", "file://host/a", "foo://x", "s3://"])
def test_bad_uris_are_refused_and_make_nothing(uri, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError) as caught:
        open_store(uri)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == []


def test_other_schemes_go_to_pyarrow():
    store = open_store("mock:///folder")
    assert isinstance(store, ArrowStore)
    store.put("a", b"x")
    assert store.list("") == ["a"]


def test_s3_store_opens_again_by_its_uri(fake_s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", fake_s3.endpoint)
    store = open_store("s3://bucket/store")
    store.put("a", b"x")
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert open_store(store.uri).get("a") == b"x"


def test_probe_leaves_nothing(fake_s3):
    open_store(fake_s3.uri)
    assert fake_s3.objects == {}
    puts = [answer for answer in fake_s3.requests if answer[0] == "PUT"]
    assert puts == [("PUT", 200), ("PUT", 412)]


def test_reading_does_not_probe(fake_s3):
    open_store(fake_s3.uri, write=False)
    assert fake_s3.requests == []


def test_server_that_ignores_conditional_puts_is_refused(fake_s3):
    fake_s3.ignores_conditions = True
    with pytest.raises(UserError, match=r"ignores conditional puts.*Ceph RGW") as caught:
        open_store(fake_s3.uri)
    assert "\n" not in str(caught.value)
    assert fake_s3.objects == {}


def test_server_that_does_not_know_conditional_puts_is_refused(fake_s3):
    fake_s3.refuses = (501, "NotImplemented")
    with pytest.raises(UserError, match=r"does not know conditional puts.*overwritten.*Ceph RGW"):
        open_store(fake_s3.uri)


def test_server_that_refuses_every_conditional_put_is_refused(fake_s3, monkeypatch):
    store = open_store(fake_s3.uri)
    monkeypatch.setattr(store, "put", lambda *_: False)
    with pytest.raises(UserError, match="conditional puts"):
        probe(store)


def test_local_store_needs_neither_boto3_nor_pyarrow(tmp_path):
    code = (
        "import sys\n"
        "from dass_ray.store import open_store\n"
        "open_store(sys.argv[1])\n"
        "print({'boto3', 'pyarrow', 'torch', 'ray'} & {*sys.modules})"
    )
    assert child.run(code, tmp_path) == "set()\n"


def test_package_never_reads_pickles_and_imports_no_higher_layer():
    folder = Path(child.ROOT, "dass_ray", "store")
    text = "".join(path.read_text() for path in folder.glob("*.py"))
    for word in ("import pickle", "import torch", "import ray", "from ray", "from torch"):
        assert word not in text
