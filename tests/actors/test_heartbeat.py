"""A head that does not answer ends the driver with one line; the clock is a test's."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import ray

from dass_ray.actors import heartbeat
from dass_ray.actors.heartbeat import Heartbeat

DRIVER = """
import ray, signal, subprocess, sys, time
from dass_ray.actors import heartbeat
from dass_ray.actors.session import ray_session
from dass_ray.errors import UserError
heartbeat.POLL_S, heartbeat.ANSWER_S, heartbeat.LOST_S, heartbeat.LEAVE_S = 0.2, 2, 4, 5
try:
    with ray_session(cpus=1):
        print(subprocess.run(["ps", "-eo", "pid,ppid,comm"], capture_output=True, text=True).stdout)
        print("ready", flush=True)
        time.sleep(1)
        ray.cluster_resources()
except UserError as error:
    sys.exit(f"error: {error}")
"""


class Hit(Exception):
    pass


@pytest.fixture
def quick(monkeypatch):
    """Answers, one after the other; then silence. SIGTERM raises Hit."""

    def hit(*_):
        raise Hit

    answers = []
    monkeypatch.setattr(heartbeat, "POLL_S", 0.01)
    monkeypatch.setattr(heartbeat, "LOST_S", 0.1)
    monkeypatch.setattr(heartbeat, "_answers", lambda: bool(answers) and answers.pop())
    before = signal.signal(signal.SIGTERM, hit)
    yield answers
    signal.signal(signal.SIGTERM, before)


def test_silence_ends_the_block(quick):
    with Heartbeat() as head, pytest.raises(Hit):
        time.sleep(60)
    assert head.lost


def test_a_pause_does_not(quick):
    quick += [True, False, False] * 20
    with Heartbeat() as head:
        deadline = time.monotonic() + 60
        while quick and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not head.lost


def test_another_thread_is_left_alone(quick):
    found = []

    def work():
        with Heartbeat() as head:
            time.sleep(0.5)
            found.append(head.lost)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [False]


def test_a_head_that_is_killed_is_one_line():
    """Also where the main thread waits for the head, inside of Ray and deaf to signals."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", DRIVER], **pipes) as driver:
        seen = []
        while not seen or seen[-1] != "ready\n":
            seen.append(driver.stdout.readline())
            assert seen[-1], driver.stderr.read()
        (gcs,) = (
            int(line.split()[0]) for line in seen
            if line.endswith(" gcs_server\n") and int(line.split()[1]) == driver.pid
        )  # fmt: skip
        os.kill(gcs, signal.SIGKILL)
        _, err = driver.communicate(timeout=120)
    assert driver.returncode in (1, heartbeat.BAD_INPUT)
    assert err == f"error: {heartbeat.LOST}\n"
    assert not ray.is_initialized()
