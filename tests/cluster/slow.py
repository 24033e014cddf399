"""KD that takes its time, and keeps a journal of what was begun and ended, in place of ours.

Workers import this module. Real training, with a pause after each epoch: several nodes on two
cores then take no time from each other. The journal is a file that all nodes of the machine share.
"""

import os
import time
from pathlib import Path

import pytest
import ray

from dass_ray.actors import kd_worker

from ..make import KD, TEACH, TINY

PLAN = {
    "datasets": ("bars", "dots"), "space": TINY, "teacher": TEACH, "kd": KD, "students": 12,
    "common": 0.5, "seed": 3, "shard": 2,
}  # fmt: skip
_distil_shard, _distil = kd_worker.distil_shard, kd_worker.distil


def slow(journal, pause):
    """`distil_shard` whose runs take `pause` seconds longer for each epoch."""

    def shard(uri, runs, *rest):
        with pytest.MonkeyPatch.context() as patch:
            keys = iter([run.key for run in runs])
            patch.setattr(
                kd_worker, "distil", lambda *a, **m: _paused(next(keys), journal, pause, *a, **m)
            )
            return _distil_shard(uri, runs, *rest)

    return shard


def _paused(key, journal, pause, *args, **more):
    def rest(done, _total, _accuracy):
        note(journal, f"epoch {done}", key)
        time.sleep(pause)

    note(journal, "begin", key)
    out = _distil(*args, on_epoch=rest, **more)
    note(journal, "end", key)
    return out


def note(journal, what, key):
    """Appends a line in one write, so that lines of several processes do not mix."""
    node = ray.get_runtime_context().get_node_id()[:8]
    file = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(file, f"{time.time():.3f} {node} {os.getpid()} {key[:8]} {what}\n".encode())
    os.close(file)


def lines(journal):
    """(time, node, process, key, what) of each line."""
    text = Path(journal).read_text() if Path(journal).exists() else ""
    return [(float(t), node, int(pid), key, what) for t, node, pid, key, what in
            (line.split(" ", 4) for line in text.splitlines())]  # fmt: skip
