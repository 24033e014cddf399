"""Where keys come from, and that a job of days has valid ones: for commits and for scans."""

from datetime import timedelta
from uuid import uuid4

import pytest
from pyarrow.fs import FileType

from dass_ray.store.s3 import S3Store

from . import fake_roles
from .proxy import before


@pytest.fixture(autouse=True)
def _no_keys(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)


@pytest.fixture
def proxy(moto_endpoint, moto_bucket):
    with before(moto_endpoint) as running:
        yield running


@pytest.fixture
def uri(proxy):
    return f"s3://bucket/roles?endpoint={proxy.endpoint}"


def container(server, monkeypatch):
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{server.endpoint}/keys")


def instance(server, monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.endpoint)


def use(store):
    """Commits, then scans."""
    store.put(f"runs/{uuid4().hex}", b"x")
    files, root = store.filesystem()
    assert files.get_file_info(f"{root}/runs").type == FileType.Directory


def test_keys_of_a_container_are_asked_for_anew_before_they_expire(monkeypatch, proxy, uri):
    with fake_roles.serve(minutes=5) as server:  # boto3 wants new ones 10 minutes before
        container(server, monkeypatch)
        store = S3Store(uri)
        for _ in range(3):
            use(store)
        assert server.given >= 6
        assert [int(key[4:]) for key in proxy.keys] == sorted(int(key[4:]) for key in proxy.keys)
        assert proxy.keys[-1] == f"key-{server.given}"


def test_keys_of_an_instance_are_asked_for_anew_before_they_expire(monkeypatch, proxy, uri):
    with fake_roles.serve(minutes=60) as server:
        instance(server, monkeypatch)
        store = S3Store(uri)
        use(store)
        # Not served so: boto3 itself prolongs keys of an instance whose service seems to be late.
        store._link.session.get_credentials()._expiry_time -= timedelta(minutes=55)
        use(store)
        assert proxy.keys[0] == "key-1"
        assert proxy.keys[-1] == "key-2"
        assert set(proxy.keys) == {"key-1", "key-2"}


@pytest.mark.parametrize("role", [container, instance])
def test_keys_of_a_role_are_kept_while_they_are_good(role, monkeypatch, proxy, uri):
    with fake_roles.serve(minutes=60) as server:
        role(server, monkeypatch)
        store = S3Store(uri)
        for number in range(3):
            store.put(f"runs/{number}", b"x")
        assert set(proxy.keys) == {"key-1"}


def test_profile(monkeypatch, tmp_path, proxy, uri):
    file = tmp_path / "config"
    file.write_text("[profile lab]\naws_access_key_id=of-lab\naws_secret_access_key=secret\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    S3Store(uri).put("a", b"x")
    assert set(proxy.keys) == {"of-lab"}
