import threading
import time

import pytest

from dass_ray.store import deadline
from dass_ray.store.deadline import patience, within

from . import child


def test_gives_the_result():
    assert within(5, lambda: "done") == "done"


def test_raises_the_error():
    with pytest.raises(KeyError, match="inner"):
        within(5, lambda: {}["inner"])


def test_gives_up_in_time():
    free = threading.Event()
    begin = time.monotonic()
    with pytest.raises(TimeoutError):
        within(0.1, free.wait)
    assert time.monotonic() - begin < 2
    free.set()


def test_a_call_that_was_given_up_does_not_keep_the_process_alive():
    begin = time.monotonic()
    child.run(
        "import time, contextlib\n"
        "from dass_ray.store.deadline import within\n"
        "with contextlib.suppress(TimeoutError): within(0.1, lambda: time.sleep(60))"
    )
    assert time.monotonic() - begin < 20


def test_large_objects_get_more_time():
    assert patience(0) == deadline.GRACE
    assert patience(100_000_000) == deadline.GRACE + 100
