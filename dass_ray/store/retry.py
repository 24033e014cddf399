"""Trying again, with pauses that are random, grow, and end."""

import random
import time
from collections.abc import Iterator

FIRST_PAUSE = 0.2  # s at the most, on average half of it; then doubling
LONGEST_PAUSE = 20.0  # s
LONGEST = 120.0  # s from the first attempt to the beginning of the last one


def attempts(most: int) -> Iterator[bool]:
    """Give, for each attempt and after a random pause, whether it is the last one.

    It is the last also where LONGEST is over, since an attempt itself may take a minute.
    """
    end = time.monotonic() + LONGEST
    for attempt in range(most):
        if attempt:
            time.sleep(random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (attempt - 1))))
        last = attempt == most - 1 or time.monotonic() > end
        yield last
        if last:
            return
