"""SIGTERM, as of `ray job stop`, is told from Ctrl-C, also where the work waits inside of Ray."""

import os
import signal
import subprocess
import sys

import pytest

from dass_ray.actors.session import Terminated, _hearing_of_sigterm

DRIVER = """
import os, signal, threading, time
import ray
from rich.console import Console
from dass_ray.actors.session import ray_session
from dass_ray.cli.progress import Bars

@ray.remote
def long():
    time.sleep(600)

with Bars(Console()), ray_session(cpus=1):
    threading.Timer(2, os.kill, (os.getpid(), signal.SIGTERM)).start()
    ray.wait([long.remote()])
"""


def test_sigterm_inside_of_ray():
    done = subprocess.run(
        [sys.executable, "-c", DRIVER], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 143, done.stderr
    assert "the same command goes on" in done.stdout


def interrupted_inside_of_ray(number):
    """Ray catches what a handler raises, and raises a bare KeyboardInterrupt."""
    try:
        os.kill(os.getpid(), number)
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None


@pytest.mark.parametrize(
    ("number", "kind"), [(signal.SIGTERM, Terminated), (signal.SIGINT, KeyboardInterrupt)]
)
def test_what_ray_caught_is_told_apart(number, kind):
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt) as stop, _hearing_of_sigterm(before):
        interrupted_inside_of_ray(number)
    assert stop.type is kind
    assert signal.getsignal(signal.SIGTERM) is before
