import ctypes
import subprocess
import sys

import pytest

from dass_ray.predictor import memory

FAULTS = """
import resource, sys
from dass_ray.predictor.memory import keep_freed_memory
if sys.argv[1] == "keep":
    assert keep_freed_memory()
bytearray(2**24)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    bytearray(2**24)  # 16 MiB, freed at once
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="needs glibc")
def test_freed_memory_is_not_faulted_in_again():
    """16 MiB are 4,096 pages: without it, blocks of them are faulted in again and again."""
    freed, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS, way], check=True, capture_output=True,
                           text=True).stdout)
        for way in ("free", "keep")
    )  # fmt: skip
    assert kept < freed / 5


def test_a_c_library_without_the_setting(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda _: object())
    assert memory.keep_freed_memory() is False
