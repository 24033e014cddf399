"""Debian's Chromium, without a window."""

import shutil
import subprocess

import pytest

PROGRAM = shutil.which("chromium")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--enable-logging=stderr", "--virtual-time-budget=20000", "--dump-dom",
)  # fmt: skip

needed = pytest.mark.skipif(PROGRAM is None, reason="there is no chromium on this machine")


def opened(file, *more):
    """The DOM of a page once it has run, and the browser's log."""
    profile = f"--user-data-dir={file.parent / 'profile'}"
    done = subprocess.run(
        [PROGRAM, *FLAGS, *more, profile, file.as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout, done.stderr
