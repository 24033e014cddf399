import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import boto3
import botocore.loaders
import botocore.session
import pytest
from pyarrow.fs import LocalFileSystem, SubTreeFileSystem

from dass_ray.store import open_store
from dass_ray.store.arrow import ArrowStore
from dass_ray.store.base import Store

from .fake_s3 import serve

# The URI of a real store, such as s3://bucket/tests?endpoint=http://127.0.0.1:7480, with its keys
# in the environment as well: every test of `place` and `store` in this folder runs there too.
REAL_S3 = os.environ.get("DASS_RAY_TEST_S3")
REAL_KEYS = {name: os.environ.get(name) for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")}
FAKE_KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "testtest"}
BUCKET = "bucket"


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch, tmp_path):
    for name in [*os.environ]:
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "nobody"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name, value in FAKE_KEYS.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session")
def read_models():
    """boto3's descriptions of services, which each session reads anew in 0.1 s."""
    return botocore.loaders.create_loader()


@pytest.fixture(autouse=True)
def _models_read_once(monkeypatch, read_models):
    monkeypatch.setattr(botocore.session, "create_loader", lambda _path=None: read_models)


@pytest.fixture
def quick_retries(monkeypatch):
    """As often as in earnest, without the pauses."""
    monkeypatch.setattr("dass_ray.store.retry.FIRST_PAUSE", 0.0)


@pytest.fixture(scope="session")
def moto_endpoint(tmp_path_factory):
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, str(Path(__file__).with_name("moto_process.py"))]
    environment = {**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": "7"}  # so that lists have pages
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield _wait_for_endpoint(process, log)
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_for_endpoint(process, log):
    for _ in range(600):
        if match := re.search(r"Running on (http://127\.0\.0\.1:\d+)", log.read_text()):
            return match[1]
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    raise AssertionError(f"moto did not start in 30 s: {log.read_text()}")


@pytest.fixture(scope="session")
def moto_bucket(moto_endpoint):
    client = boto3.client(
        "s3",
        endpoint_url=moto_endpoint,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="testtest",
    )
    client.create_bucket(Bucket=BUCKET)
    client.close()
    return f"s3://{BUCKET}/{{}}?endpoint={moto_endpoint}"


@pytest.fixture
def fake_s3(quick_retries):
    with serve() as server:
        yield server


@dataclass(frozen=True)
class Place:
    """Where an empty store is. `open` gives another client of it at each call."""

    open: Callable[[], Store]


@pytest.fixture(params=["local", "s3", "arrow", *(["real s3"] if REAL_S3 else [])])
def place(request):
    return request.getfixturevalue(f"{request.param.replace(' ', '_')}_place")


@pytest.fixture
def local_place(tmp_path):
    return Place(lambda: open_store(str(tmp_path / "store")))


@pytest.fixture
def s3_place(moto_bucket):
    uri = moto_bucket.format(uuid4().hex)
    return Place(lambda: open_store(uri))


@pytest.fixture
def arrow_place(tmp_path):
    (tmp_path / "store").mkdir()
    files = SubTreeFileSystem(str(tmp_path / "store"), LocalFileSystem())
    return Place(lambda: ArrowStore(files, "", "subtree://"))


@pytest.fixture
def real_s3_place(monkeypatch):
    for name, value in REAL_KEYS.items():
        monkeypatch.setenv(name, value)
    base = urlsplit(REAL_S3)
    uri = base._replace(path=f"{base.path.rstrip('/')}/{uuid4().hex}").geturl()
    yield Place(lambda: open_store(uri))
    _empty(open_store(uri))


def _empty(store):
    for path in store.list(""):
        store.delete(path)


@pytest.fixture
def store(place):
    return place.open()
