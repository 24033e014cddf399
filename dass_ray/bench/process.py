"""Time and peak memory of work in a process of its own, where nothing else has used any."""

import importlib
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from dass_ray.errors import UserError

BAD_INPUT = 2  # exit code


@dataclass(frozen=True)
class Spent:
    """What a call gave, took and needed."""

    result: float
    seconds: float  # of the call, without the start of the process
    gib: float  # peak resident memory of the process, with the interpreter's own 0.1 GiB


def alone(work: Callable[..., float], *arguments: str | int) -> Spent:
    """Calls a module's function in a new process; UserError where it raised one there."""
    words = [work.__module__, work.__name__, json.dumps(arguments)]
    command = [sys.executable, "-m", "dass_ray.bench.process", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == BAD_INPUT:
        raise UserError(done.stderr.strip())
    assert done.returncode == 0, done.stderr
    return Spent(**json.loads(done.stdout.splitlines()[-1]))


def measured(module: str, name: str, arguments: str) -> Spent:
    """The call itself, in the new process; arguments: a JSON list."""
    work = getattr(importlib.import_module(module), name)
    begin = time.perf_counter()
    result = work(*json.loads(arguments))
    return Spent(result, time.perf_counter() - begin, _peak())


def _peak() -> float:
    """GiB. Not ru_maxrss on Linux: that begins with what the parent process had."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**30  # bytes on macOS


if __name__ == "__main__":
    try:
        print(json.dumps(asdict(measured(*sys.argv[1:]))))
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(BAD_INPUT)
