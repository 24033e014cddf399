"""A wall-clock limit for calls that set themselves none."""

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import TypeVar

T = TypeVar("T")

GRACE = 60.0  # s; above the 44 s after which boto3 gives up on a server that never answers
SLOWEST = 1e6  # bytes/s


def patience(size: int) -> float:
    """Return the seconds that a transfer of `size` bytes may take."""
    return GRACE + size / SLOWEST


def within(seconds: float, work: Callable[[], T]) -> T:
    """Return `work()`, or raise `TimeoutError` when it has not ended after `seconds`.

    Socket timeouts start anew with every byte, so that a server sending one byte per half second
    holds a call for hours. The call that is given up goes on in a daemon thread, which does not
    keep the process alive; a put that ends after all is a complete object, as any other.
    Starting the thread costs about 0.1 ms.
    """
    outcome: Future[T] = Future()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # handed to the waiting thread, whatever it is
            outcome.set_exception(error)

    Thread(target=run, daemon=True).start()
    return outcome.result(timeout=seconds)
