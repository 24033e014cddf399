"""A whole `dass-ray collect` into S3 while the server or the network fails.

It finishes, or stops with one line; the same command then does what is missing, and nothing else.
"""

import os
import random
import threading
import time
from io import BytesIO
from types import SimpleNamespace
from uuid import uuid4

import botocore.endpoint
import pyarrow.parquet as pq
import pytest
import ray

from dass_ray.actors import kd_worker
from dass_ray.cli import main as cli
from dass_ray.config import CollectConfig
from dass_ray.kd.teachers import TeacherPlan
from dass_ray.store import open_store, retry, s3_client, s3_link
from dass_ray.store.s3 import S3Store

from .. import make_task
from ..make import TEACH, TINY
from ..store.conftest import moto_bucket, moto_endpoint  # noqa: F401 - fixtures
from ..store.proxy import before
from .faults import PLAN
from .test_collect import outcome, rows, undisturbed

STUDENTS, SHARD = 6, 2
PASSING, ENDLESS = 1 / 4, 1.0
READ_S, QUIET_S = 1.0, 1.5  # a client's patience, and a server's silence
connect, pause = s3_client.Config, retry.FIRST_PAUSE


def impatient(troubled, first_pause):
    """This process's clients of S3 ask as often as is said, and wait for a second, not for ten."""
    botocore.endpoint.time = SimpleNamespace(sleep=lambda _seconds: None, time=time.time)
    s3_client.Config = lambda **kw: connect(**kw | {"read_timeout": READ_S})
    s3_link.TROUBLED, retry.FIRST_PAUSE = troubled, first_pause


def on_worker(function, *patience):
    """A function of a task, in a process that is impatient first."""

    def run(*args):
        impatient(*patience)
        return function(*args)

    return run


class Command:
    """`dass-ray collect` of one plan; what it submitted has ended when it has."""

    def __init__(self, uri, environment, capsys, tmp_path):
        self.uri, self.environment, self.capsys = uri, environment, capsys
        self.file = tmp_path / "plan.yaml"
        facts = {"store": uri, "datasets": ("bars",), "students": STUDENTS, "shard": SHARD}
        self.config = CollectConfig(**PLAN | facts)
        self.file.write_text(self.config.model_dump_json())

    def run(self, troubled=20, first_pause=0.0):
        """The exit code, and what it wrote to stderr."""
        flying, remote = [], kd_worker.remote

        def submitting(function, demand, nodes=None, retries=0):
            there = {"runtime_env": {"env_vars": self.environment}}
            work = on_worker(function, troubled, first_pause)
            submit = remote(work, demand | there, nodes, retries)
            return lambda *args: flying.append(submit(*args)) or flying[-1]

        with pytest.MonkeyPatch.context() as patch:
            for place, name in (
                (botocore.endpoint, "time"), (s3_client, "Config"), (s3_link, "TROUBLED"),
                (retry, "FIRST_PAUSE"),
            ):  # fmt: skip
                patch.setattr(place, name, getattr(place, name))  # to be put back
            impatient(troubled, first_pause)
            patch.setattr(kd_worker, "remote", submitting)
            patch.setattr("sys.argv", ["dass-ray", "collect", "-c", str(self.file)])
            code = ended()
            ray.wait(flying, num_returns=len(flying), timeout=120)
        return code, self.capsys.readouterr().err

    def stops(self, words, **patience):
        """One line that says so, and exit code 2."""
        code, err = self.run(**patience)
        assert code == 2, err
        assert err.startswith("error: ")
        assert words in err
        assert len(err.strip().splitlines()) == 1

    def finishes(self, **patience):
        code, err = self.run(**patience)
        assert (code, err) == (0, "")


def ended():
    try:
        cli.main()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Of workers; keys are in a file, as tools that renew them write it."""
    folder = tmp_path_factory.mktemp("aws")
    keys = {"AWS_SHARED_CREDENTIALS_FILE": str(folder / "keys"), "AWS_PROFILE": "job"}
    return keys | {"AWS_CONFIG_FILE": str(folder / "none"), "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory):
    """A local store with a data set and its teacher."""
    store = open_store(str(tmp_path_factory.mktemp("seeds")))
    make_task.stored(store, "bars", seed=1)
    kd_worker.train_teacher(store.uri, "bars", TeacherPlan(TINY, TEACH, 0))
    return store


@pytest.fixture(scope="module")
def expected(seeds):
    """What each run gives where nothing fails."""
    return undisturbed(seeds, CollectConfig(**PLAN | {"datasets": ("bars",), "students": STUDENTS}))


@pytest.fixture
def proxy(moto_endpoint, moto_bucket):  # noqa: F811
    with before(moto_endpoint) as running:
        running.quiet = QUIET_S
        yield running


@pytest.fixture
def keys(environment, monkeypatch):
    """Writes the key that processes find when they look."""
    for name in [*os.environ]:
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    def write(name):
        with open(environment["AWS_SHARED_CREDENTIALS_FILE"], "w") as file:
            file.write(f"[job]\naws_access_key_id={name}\naws_secret_access_key=secret\n")

    write("first")
    return write


@pytest.fixture
def direct(proxy, keys, seeds, moto_endpoint):  # noqa: F811
    """The store without the proxy."""
    store = S3Store(f"s3://bucket/{uuid4().hex}?endpoint={moto_endpoint}")
    for path in seeds.list(""):
        store.put(path, seeds.get(path))
    return store


@pytest.fixture
def command(cluster, proxy, direct, environment, capsys, tmp_path):
    uri = f"{direct.uri.partition('?')[0]}?endpoint={proxy.endpoint}"
    return Command(uri, environment, capsys, tmp_path)


class Fault:
    """Spoils a share of all requests, from the commit of the second part on."""

    def __init__(self, kind, share, at_part=2):
        self.kind, self.share, self.at_part, self.begun = kind, share, at_part, None
        self.parts, self.chance, self.alone = 0, random.Random(3), threading.Lock()

    def __call__(self, method, path):
        with self.alone:
            self.parts += method == "PUT" and "/runs/" in path
            if self.parts < self.at_part:
                return None
            self.begun = self.begun or time.monotonic()
            return self.kind if self.goes_on() and self.chance.random() < self.share else None

    def goes_on(self):
        return True


class Outage(Fault):
    """Of a few seconds."""

    def goes_on(self):
        return time.monotonic() - self.begun < 4 * QUIET_S


def check(direct, expected):
    """All runs, as if nothing had failed; none of them was committed twice."""
    assert outcome(rows(direct)) == expected
    parts = [pq.read_table(BytesIO(direct.get(path))) for path in direct.list("runs")]
    assert sum(map(len, parts)) == STUDENTS


@pytest.mark.parametrize("kind", ["500", "503", "reset", "lost", "silence"])
def test_trouble_without_end_stops_it_and_it_goes_on(command, proxy, direct, expected, kind):
    proxy.fault = Fault(kind, ENDLESS)
    command.stops("again", troubled=1)
    there = {path: direct.get(path) for path in direct.list("runs")}
    assert 0 < len(there) < len(expected)
    proxy.fault = Fault(kind, PASSING, at_part=0)
    command.finishes()
    assert kind in {fault for fault, _ in proxy.spoilt}
    assert there.items() <= {path: direct.get(path) for path in direct.list("runs")}.items()
    check(direct, expected)


@pytest.mark.parametrize("kind", ["cut", "slow"])
def test_trouble_that_is_waited_out(command, proxy, direct, expected, kind):
    proxy.fault = Fault(kind, PASSING, at_part=0)
    command.finishes()
    assert kind in {fault for fault, _ in proxy.spoilt}
    check(direct, expected)


def test_an_outage(command, proxy, direct, expected):
    """Nobody answers for some seconds; nobody gives up, fresh workers included."""
    proxy.fault = Outage("reset", ENDLESS)
    command.finishes(first_pause=0.1)
    assert len(proxy.spoilt) > 4  # more than boto3 asks by itself
    check(direct, expected)


class Expiry(Fault):
    """The first key is good until the second part is committed; `then` is done at that moment."""

    def __init__(self, proxy, then=lambda: None):
        super().__init__("expired", ENDLESS)
        self.proxy, self.then = proxy, then

    def __call__(self, method, path):
        if super().__call__(method, path) and "first" not in self.proxy.expired:
            self.then()
            self.proxy.expired.add("first")


def test_keys_that_expire(command, proxy, direct, expected, keys):
    proxy.fault = Expiry(proxy)
    command.stops("renew the credentials and run again")
    there = direct.list("runs")
    assert there
    keys("second")
    command.finishes()
    assert set(there) < set(direct.list("runs"))
    check(direct, expected)


def test_keys_that_are_renewed_in_time(command, proxy, direct, expected, keys):
    proxy.fault = Expiry(proxy, lambda: keys("second"))
    command.finishes()
    assert "second" in proxy.keys
    check(direct, expected)
