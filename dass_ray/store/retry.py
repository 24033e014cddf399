"""Trying again, with pauses that are random, grow, and end."""

import random
import threading
import time
from collections.abc import Iterator

FIRST_PAUSE = 0.2  # s at the most, on average half of it; then doubling
LONGEST_PAUSE = 20.0  # s
LONGEST = 120.0  # s from the first attempt to the beginning of the last one


class Again:
    """How many requests a process has sent once more, told by its threads and taken by one."""

    def __init__(self) -> None:
        self._count, self._lock = 0, threading.Lock()

    def add(self) -> None:
        """One more."""
        with self._lock:
            self._count += 1

    def take(self) -> int:
        """Those since it was last asked."""
        with self._lock:
            taken, self._count = self._count, 0
        return taken


AGAIN = Again()
"""Of this process: by the pauses of this module, and by boto3's own."""


def attempts(most: int, longest: float | None = None) -> Iterator[bool]:
    """Give, for each attempt and after a random pause, whether it is the last one.

    It is the last also where `longest` (s, by default LONGEST) is over, since an attempt itself may
    take a minute.
    """
    end = time.monotonic() + (LONGEST if longest is None else longest)
    for attempt in range(most):
        if attempt:
            AGAIN.add()
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))))
        last = attempt == most - 1 or time.monotonic() > end
        yield last
        if last:
            return
