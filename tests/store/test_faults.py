"""Operations on a store whose server or network fails: they finish, or end with one clear line."""

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from uuid import uuid4

import pytest

from dass_ray import ledger
from dass_ray.errors import UserError
from dass_ray.ledger.compact import compact
from dass_ray.ledger.sweep import sweep
from dass_ray.store import open_store, retry, s3_client, s3_link
from dass_ray.store.s3 import S3Store

from ..make import row
from .proxy import FAULTS, before

BODY = bytes(range(256)) * 2000


@pytest.fixture(autouse=True)
def _boto3_does_not_pause(monkeypatch):
    """It asks as often as in earnest."""
    clock = SimpleNamespace(sleep=lambda _seconds: None, time=time.time)
    monkeypatch.setattr("botocore.endpoint.time", clock)


@pytest.fixture
def proxy(moto_endpoint, quick_retries):
    with before(moto_endpoint) as running:
        yield running


@pytest.fixture
def uri(proxy, moto_bucket):
    return f"s3://bucket/{uuid4().hex}?endpoint={proxy.endpoint}"


@pytest.fixture
def direct(uri, moto_endpoint):
    """The same place without the proxy."""
    return S3Store(f"{uri.partition('?')[0]}?endpoint={moto_endpoint}")


def some(fault, method, times):
    """Spoils the first `times` requests of a method."""
    left, one_at_a_time = [times], threading.Lock()

    def choose(asked, _path):
        with one_at_a_time:
            if asked != method or not left[0]:
                return None
            left[0] -= 1
            return fault

    return choose


@pytest.fixture
def patient(monkeypatch):
    """A client that waits 0.1 s for an answer instead of 10."""
    made = s3_client.Config
    monkeypatch.setattr(s3_client, "Config", lambda **kw: made(**kw | {"read_timeout": 0.1}))


@pytest.mark.parametrize("times", [1, 6])  # boto3 asks four times by itself
@pytest.mark.parametrize("fault", FAULTS)
def test_put_ends_well(uri, direct, proxy, patient, fault, times):
    store = open_store(uri)
    proxy.fault = some(fault, "PUT", times)
    assert store.put("runs/a", BODY) is True
    assert direct.get("runs/a") == BODY
    assert len(proxy.spoilt) == (min(times, 1) if fault == "cut" else times)
    assert store.put("runs/a", b"other") is False


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("method", "call", "expected"),
    [
        ("GET", lambda store: store.get("runs/a"), BODY),
        ("HEAD", lambda store: store.exists("runs/a"), True),
        ("GET", lambda store: store.list("runs"), [f"runs/{i}" for i in "0123456789a"]),
        ("DELETE", lambda store: store.delete("none"), None),
    ],
    ids=["get", "exists", "list", "delete"],
)
def test_other_calls_end_well(uri, direct, proxy, patient, fault, method, call, expected):
    store = open_store(uri)
    for name in "0123456789":
        direct.put(f"runs/{name}", b"x")  # the list has two pages, see conftest.py
    direct.put("runs/a", BODY)
    proxy.fault = some(fault, method, 5)
    assert call(store) == expected
    assert proxy.spoilt


@pytest.mark.parametrize("fault", ["500", "503", "reset", "lost", "silence"])
def test_trouble_without_end_is_one_line(uri, direct, proxy, patient, monkeypatch, fault):
    monkeypatch.setattr(s3_link, "TROUBLED", 2)
    store = open_store(uri)
    acknowledged = store.put("before", b"x")
    proxy.fault = lambda *_: fault
    for call in (store.get, store.exists, store.delete, store.list, lambda p: store.put(p, BODY)):
        with pytest.raises(UserError, match=r"s3://bucket/\w+/a/? at http.*: .*again") as caught:
            call("a")
        assert "\n" not in str(caught.value)
    proxy.fault = lambda *_: None
    assert acknowledged
    assert direct.get("before") == b"x"
    assert store.put("a", BODY) is (fault != "lost")  # goes on where it was
    assert direct.get("a") == BODY


def test_what_is_sent_again_is_counted(uri, proxy):
    store = open_store(uri)
    retry.AGAIN.take()
    proxy.fault = some("503", "PUT", 6)  # boto3 sends three times more by itself, then we do
    store.put("a", BODY)
    assert retry.AGAIN.take() == 6
    assert retry.AGAIN.take() == 0


def test_waiting_is_bounded(uri, proxy, monkeypatch):
    store = open_store(uri)
    proxy.fault = lambda *_: "503"
    monkeypatch.setattr(retry, "LONGEST", 0.0)
    with pytest.raises(UserError, match="SlowDown"):
        store.put("a", b"x")
    assert len(proxy.spoilt) <= 8


def test_a_wrong_address_is_not_waited_for(moto_endpoint, monkeypatch):
    """A server that never answered is told at once; one that did, here or there, is waited for."""
    asked = []
    monkeypatch.setattr(time, "sleep", asked.append)
    with before(moto_endpoint) as proxy:
        uri = f"s3://bucket/{uuid4().hex}?endpoint={proxy.endpoint}"
        used, new, known = open_store(uri), S3Store(uri), S3Store(uri, known=True)
    waits = []
    for store in (new, used, known):
        asked.clear()
        with pytest.raises(UserError, match="check the endpoint"):
            store.get("a")
        waits.append(len(asked))
    assert min(waits[1:]) > waits[0] + 5


def test_a_whole_ledger_at_random(uri, direct, proxy, patient):
    """Commits, compactions, sweeps and reads while a fifth of all requests goes wrong."""
    store = open_store(uri)
    chance, one_at_a_time, acknowledged = random.Random(5), threading.Lock(), set()

    def fault(*_):
        with one_at_a_time:
            return chance.choice(FAULTS) if chance.random() < 1 / 5 else None

    def write(worker):
        for number in range(8):
            keys = [f"{worker}{number}{letter}" for letter in "abc"]
            try:
                ledger.commit(store, [row(key) for key in keys])
            except UserError:
                continue
            acknowledged.update(keys)

    proxy.fault = fault
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(3)))
        for _ in range(2):
            compact(store, rows=10)
            sweep(store, grace=0)
            assert acknowledged <= ledger.done(store)
    proxy.fault = lambda *_: None
    assert {kind for kind, _ in proxy.spoilt} == set(FAULTS)
    assert len(acknowledged) > 60
    keys = ledger.read(direct)["key"].to_pylist()
    assert len(keys) == len(set(keys))
    assert acknowledged <= set(keys)


def test_credentials_that_expire_are_one_line(uri, direct, proxy):
    store = open_store(uri)
    proxy.expired.add("test")
    for call in (store.get, store.exists, store.delete, store.list, lambda p: store.put(p, BODY)):
        with pytest.raises(UserError, match=r"bucket/.*/a/? at .*ExpiredToken.*renew") as caught:
            call("a")
        assert "\n" not in str(caught.value)
    proxy.expired.clear()
    assert store.put("a", BODY)
    assert direct.get("a") == BODY


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """Writes the keys of a profile in a file, as the tools that renew them do."""
    file = tmp_path / "credentials"
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "job")

    def write(key):
        file.write_text(f"[job]\naws_access_key_id={key}\naws_secret_access_key=secret\n")

    return write


def test_credentials_in_a_file_are_read_again_when_they_expire(uri, proxy, profile):
    profile("first")
    store = open_store(uri)
    assert set(proxy.keys) == {"first"}
    proxy.expired.add("first")
    with pytest.raises(UserError, match="renew the credentials"):
        store.get("a")
    profile("second")
    assert not store.exists("a")
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda n: store.put(f"runs/{n}", BODY), range(16)))
    assert proxy.keys[-1] == "second"
    assert store.list("runs") == sorted(f"runs/{n}" for n in range(16))
