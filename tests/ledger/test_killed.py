"""A compacting process that is really killed, at moments that nobody chose."""

import signal
import time

from dass_ray.ledger.compact import compact
from dass_ray.ledger.sweep import sweep

from ..store import child
from .make import keys, parts

CODE = """
import sys
from dass_ray.ledger.compact import compact
from dass_ray.ledger.sweep import sweep
from dass_ray.store import open_store
store = open_store(sys.argv[1])
print("ready", flush=True)
while True:
    compact(store, rows=3)
    sweep(store, grace=0)
"""


def test_killed_in_the_middle(store):
    expected = []
    for number in range(4):
        letters = [chr(ord("a") + 5 * number + i) for i in range(5)]
        expected += letters
        with child.start(CODE, store.uri) as process:
            assert process.stdout.readline() == "ready\n"
            parts(store, *letters)
            time.sleep(0.02 * number)
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=30)
        assert keys(store) == expected
    parts(store, "u", "v")  # one part alone, as the last kill may leave, is not worth a step
    expected += ["u", "v"]
    compact(store)
    sweep(store, grace=0)
    assert keys(store) == expected
    assert store.list("runs") == []
