import pytest

from dass_ray.errors import UserError
from dass_ray.ledger import manifest as manifests
from dass_ray.ledger.manifest import NONE, Manifest

from .make import Watched


def test_none_yet(store):
    assert manifests.newest(store) == NONE


def test_the_largest_number_counts(store):
    for number in (2, 10, 9):
        assert manifests.commit(store, Manifest(number=number, created_at=1.0))
    assert manifests.newest(store).number == 10


def test_a_number_is_taken_once(store):
    assert manifests.commit(store, Manifest(number=1, created_at=1.0, covered=("a",)))
    assert not manifests.commit(store, Manifest(number=1, created_at=2.0))
    assert manifests.newest(store).covered == ("a",)


def test_newest_one_is_swept_while_it_is_read(store):
    manifests.commit(store, Manifest(number=1, created_at=1.0))

    def swept():
        manifests.commit(store, Manifest(number=2, created_at=2.0))
        store.delete("manifest/00000001.json")

    assert manifests.newest(Watched(store, "get", 1, swept)).number == 2


@pytest.mark.parametrize("more", [b'"more": 1', b'"schema_version": 9'])
def test_of_a_newer_version(store, more):
    store.put("manifest/00000001.json", b'{"number": 1, "created_at": 1.0, %b}' % more)
    with pytest.raises(UserError, match="upgrade dass-ray"):
        manifests.newest(store)


def test_listed_but_not_there(store, monkeypatch):
    monkeypatch.setattr(store, "list", lambda _: ["manifest/00000001.json"])
    with pytest.raises(UserError, match="listed but cannot be read"):
        manifests.newest(store)


def test_number_of_a_path():
    assert manifests.number_of("compacted/00000012-abc.parquet") == 12
    assert manifests.number_of(Manifest(number=123456789, created_at=0).path) == 12345678
