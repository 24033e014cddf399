import errno
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from dass_ray.errors import UserError
from dass_ray.store.base import TEMP_FOLDER
from dass_ray.store.local import STALE, LocalStore

from . import child

NOBODY = 65534
PUT_ON_SIGNAL = """
import sys
from pathlib import Path
from dass_ray.store.local import LocalStore
store = LocalStore(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
print(store.put("runs/key", sys.argv[2].encode() * 100_000))
"""
DIE_BEFORE_LINK = """
import os, signal, sys
from pathlib import Path
from dass_ray.store.local import LocalStore
os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
LocalStore(Path(sys.argv[1])).put("runs/key", b"x" * 1_000_000)
"""
# What is left after a put that is too large, and whether a small one still works.
PUT_TOO_MUCH = """
import json, os, resource, sys
from pathlib import Path
from dass_ray.errors import UserError
from dass_ray.store import open_store
store = open_store(sys.argv[1])
if len(sys.argv) > 2:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
try:
    store.put("runs/large", b"x" * 10_000_000)
except UserError as error:
    message = str(error)
left = os.listdir(Path(sys.argv[1], ".tmp"))
print(json.dumps([message, store.list(""), left, store.put("runs/small", b"x" * 1000)]))
"""
PUT_READ_ONLY = """
import sys
from dass_ray.errors import UserError
from dass_ray.store import open_store
try:
    open_store(sys.argv[1])
except UserError as error:
    print(error)
"""


def may_mount():
    command = shutil.which("unshare")
    return command and subprocess.run([command, "-m", "true"], check=False).returncode == 0


needs_mount = pytest.mark.skipif(not may_mount(), reason="mounting a disk takes root on Linux")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "store"


@pytest.fixture
def store(root):
    store = LocalStore(root)
    store.prepare()
    return store


@pytest.fixture
def open_root():
    """A store in a folder that others may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        yield Path(folder)


@contextmanager
def no_rights(folder):
    """Close `folder` to the test, which for root means to be somebody else."""
    user = os.geteuid()
    folder.chmod(0)
    os.seteuid(NOBODY if user == 0 else user)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


def mounted(options, folder, then=""):
    """Return a command that runs another one where `folder` is a disk of its own."""
    script = f'mount -t tmpfs -o {options} none {folder} && {then} exec "$@"'
    return ["unshare", "-m", "sh", "-ec", script, "sh"]


def test_one_winner_of_many_processes(store, root):
    children = [child.start(PUT_ON_SIGNAL, root, chr(65 + index)) for index in range(16)]
    for process in children:
        assert process.stdout.readline() == "ready\n"
    for process in children:
        process.stdin.write("\n")
        process.stdin.flush()
    won = [process.communicate(timeout=60)[0] == "True\n" for process in children]
    assert won.count(True) == 1
    assert store.get("runs/key") == chr(65 + won.index(True)).encode() * 100_000
    assert os.listdir(root / TEMP_FOLDER) == []


def test_killed_writer_leaves_no_object_and_its_file_goes_later(store, root):
    child.run(DIE_BEFORE_LINK, root, exit_code=-signal.SIGKILL)
    assert not store.exists("runs/key")
    assert store.list("") == []
    (left,) = (root / TEMP_FOLDER).iterdir()
    store.prepare()
    assert left.exists(), "its writer may be alive"
    os.utime(left, (time.time() - STALE - 1,) * 2)
    store.prepare()
    assert not left.exists()


def test_data_then_name_then_folders_reach_the_disk(store, root, monkeypatch):
    steps = []
    fsync, link = os.fsync, os.link

    def recorded_fsync(handle):
        steps.append(os.path.relpath(os.readlink(f"/proc/self/fd/{handle}"), root))
        fsync(handle)

    def recorded_link(source, target):
        steps.append("link")
        link(source, target)

    monkeypatch.setattr(os, "fsync", recorded_fsync)
    monkeypatch.setattr(os, "link", recorded_link)
    store.put("runs/00/a", b"x")
    assert steps[0].startswith(TEMP_FOLDER)
    assert steps[1:] == ["link", "runs/00", "runs", "."]


def test_objects_are_as_readable_as_the_umask_says(store, root):
    old = os.umask(0o022)
    try:
        store.put("a", b"x")
    finally:
        os.umask(old)
    assert (root / "a").stat().st_mode & 0o777 == 0o644


def test_path_of_a_folder_or_below_an_object_is_refused(store, root):
    store.put("runs/a", b"x")
    with pytest.raises(UserError, match="runs is a folder of objects"):
        store.put("runs", b"x")
    with pytest.raises(UserError, match="a part of this path is a file"):
        store.put("runs/a/b", b"x")
    with pytest.raises(UserError, match="a part of this path is a file"):
        store.put("runs/a/b/c", b"x")
    with pytest.raises(UserError, match="choose a shorter path"):
        store.put("x" * 300, b"x")
    assert store.list("") == ["runs/a"]
    assert os.listdir(root / TEMP_FOLDER) == []


def test_file_system_without_hard_links_is_refused(store, root, monkeypatch):
    def refused(*_):
        raise OSError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refused)
    with pytest.raises(UserError, match="file system with hard links"):
        store.put("a", b"x")
    assert os.listdir(root / TEMP_FOLDER) == []


def test_store_that_is_gone_is_not_an_empty_one(store, root):
    shutil.rmtree(root)
    calls = (store.get, store.exists, store.list, lambda path: store.put(path, b"x"))
    for call in calls:
        with pytest.raises(UserError, match="still there and mounted"):
            call("a")
    assert not root.exists()


def test_refused_rights_are_not_an_absent_object(open_root):
    store = LocalStore(open_root)
    store.put("runs/a", b"x")
    calls = (store.get, store.exists, store.delete, lambda path: store.put(path, b"x"))
    with no_rights(open_root):
        for call in (*calls, lambda _: store.list("runs"), lambda _: store.check()):
            with pytest.raises(UserError, match="Permission denied: get the rights"):
                call("runs/a")
    assert store.get("runs/a") == b"x"


def test_folder_that_may_not_be_listed_is_not_passed_over(open_root):
    store = LocalStore(open_root)
    store.put("runs/00/a", b"x")
    store.put("runs/01/a", b"x")
    with no_rights(open_root / "runs" / "00"):
        assert store.list("runs/01") == ["runs/01/a"]
        with pytest.raises(UserError, match="Permission denied"):
            store.list("")


def test_limit_on_file_sizes_leaves_nothing(root):
    message, listed, left, small = json.loads(child.run(PUT_TOO_MUCH, root, 100_000))
    assert "raise the limit on file sizes" in message
    assert str(root / "runs/large") in message
    assert (listed, left, small) == ([], [], True)


@needs_mount
def test_full_disk_leaves_nothing(root):
    root.mkdir()
    output = child.run(PUT_TOO_MUCH, root, within=mounted("size=256k", root))
    message, listed, left, small = json.loads(output)
    assert "No space left on device: free some space" in message
    assert (listed, left, small) == ([], [], True)


@needs_mount
def test_read_only_disk_is_refused(root):
    root.mkdir()
    disk = mounted("size=256k", root, then=f"mount -o remount,ro {root} &&")
    output = child.run(PUT_READ_ONLY, root, within=disk)
    assert "Read-only file system: choose a store on a writable file system" in output
