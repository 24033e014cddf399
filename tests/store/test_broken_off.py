"""Writers that end in the middle of every step, while a reader polls: nothing is half there."""

import os
import signal
import threading

import pytest

from dass_ray.store import disk, local, open_store

from ..ledger.make import keys
from . import child

# Writes parts, merges them and deletes what is merged, in processes that end at line 1, 2, ... of
# the store's code; then to the end. One line of output for each process.
CODE = f"""
import os, signal, sys
from dass_ray.ledger.compact import compact
from dass_ray.ledger.sweep import sweep
from dass_ray.store import open_store
from tests.ledger.make import parts

FILES = {(disk.__file__, local.__file__)}
how, uri, first, stride = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])


def ended():
    if how == "kill -9":
        os.kill(os.getpid(), signal.SIGKILL)
    raise KeyboardInterrupt if how == "Ctrl-C" else OSError(5, "the disk is gone")


def trace(frame, event, _):
    global left
    if frame.f_code.co_filename not in FILES:
        return None
    if event == "line":
        left -= 1
        if not left:
            ended()
    return trace


def write():
    store = open_store(uri)
    parts(store, "abc", "de", "f")
    compact(store, rows=4)
    sweep(store, grace=0)


at = first
while True:
    if not os.fork():
        left = at
        sys.settrace(trace)
        try:
            write()
        except BaseException as error:
            os._exit(1)
        os._exit(0 if left > 0 else 1)
    code = os.wait()[1]
    print(at, code, flush=True)
    if code == 0:
        break
    at += stride
"""
STRIDE = 13  # with other lines for each ending


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process for each line takes a fork")
@pytest.mark.parametrize(("first", "how"), [(1, "exception"), (3, "Ctrl-C"), (5, "kill -9")])
def test_in_the_middle_of_every_write(tmp_path, how, first):
    store, seen, over = open_store(str(tmp_path / "store")), set(), threading.Event()

    def read():
        while not over.is_set():
            seen.add("".join(keys(store)))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        lines = child.run(CODE, how, store.uri, first, STRIDE).splitlines()
    finally:
        over.set()
        reader.join()
    ends = [int(line.split()[1]) for line in lines]
    assert len(ends) > 20
    assert ends[-1] == 0
    assert set(ends[:-1]) == {signal.SIGKILL if how == "kill -9" else 256}
    assert seen <= {"", "abc", "abcde", "abcdef"}  # parts in the order of their commits
    assert keys(store) == list("abcdef")
