"""Timing two ways of one thing in turn, so that a drifting machine slows both."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Median seconds of one call of each way."""

    ours: float
    plain: float

    @property
    def ratio(self) -> float:
        """How many times faster ours is."""
        return self.plain / self.ours


def in_turn(ours: Callable[[], object], plain: Callable[[], object], rounds: int) -> Pair:
    """Medians over `rounds` calls of each, after one of each that is not counted."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        for way, times in zip((ours, plain), seconds, strict=True):
            started = time.perf_counter()
            way()
            if number:
                times.append(time.perf_counter() - started)
    return Pair(*(statistics.median(times) for times in seconds))
