import signal
import subprocess
import sys
import time

import pytest

from dass_ray.actors.limit import TooLong, limited


def test_a_block_that_takes_too_long_is_ended():
    started = time.monotonic()
    with pytest.raises(TooLong, match=r"^it took longer than max_seconds=0\.05$"), limited(0.05):
        time.sleep(10)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("seconds", [None, 30.0])
def test_a_quick_block_is_left_alone(seconds):
    handler, timer = signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)[0]
    with limited(seconds):
        pass
    assert signal.getsignal(signal.SIGALRM) is handler
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(timer, abs=1)


def test_the_timer_of_an_error_is_taken_back():
    before = signal.getitimer(signal.ITIMER_REAL)[0]
    with pytest.raises(ZeroDivisionError), limited(30.0):
        _ = 1 / 0
    assert signal.getitimer(signal.ITIMER_REAL)[0] == pytest.approx(before, abs=1)


def test_a_process_that_does_not_hear_ends_itself():
    code = (
        "import signal, threading, time\n"
        "from dass_ray.actors import limit\n"
        "limit.GRACE_S = 0.2\n"
        "with limit.limited(0.1):\n"
        "    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})\n"
        "    time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 1
    assert "Timeout" in done.stderr
