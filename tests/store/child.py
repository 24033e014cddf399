"""Other Python processes that use the store."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def start(code, *arguments, within=()):
    """Start `code` in a Python of its own, under the command `within`."""
    return subprocess.Popen(
        [*within, sys.executable, "-W", "error", "-c", code, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(code, *arguments, within=(), exit_code=0):
    """Return what `code` printed, and require how it ended."""
    with start(code, *arguments, within=within) as process:
        output, errors = process.communicate(timeout=60)
    assert process.returncode == exit_code, errors
    return output
