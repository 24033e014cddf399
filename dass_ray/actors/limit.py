"""A time limit for one run inside its worker process."""

import faulthandler
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

GRACE_S = 30.0
STDERR = 2  # the file itself, since whoever replaced sys.stderr may hold a lock


class TooLong(Exception):
    """A run took longer than it may."""


@contextmanager
def limited(seconds: float | None) -> Iterator[None]:
    """Raises TooLong in the block after so many seconds; None is no limit. For the main thread.

    Code that never comes back to Python does not hear of it: after half as long again and GRACE_S
    the process ends itself, which the driver sees as a crash.
    """
    if seconds is None:
        yield
        return

    def ring(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong(f"it took longer than max_seconds={seconds:g}")

    before = signal.signal(signal.SIGALRM, ring)
    left, _ = signal.setitimer(signal.ITIMER_REAL, seconds)
    faulthandler.dump_traceback_later(1.5 * seconds + GRACE_S, exit=True, file=STDERR)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, left)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGALRM, before)
