"""Who is told while long work goes on."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Watcher(Protocol):
    """What is told while long work goes on."""

    def phase(self, name: str, total: int) -> None:
        """A phase of so many steps begins."""
        ...

    def step(self, done: int, note: str) -> None:
        """So many steps of the phase are done."""
        ...


class Prefixed:
    """Another watcher, which hears of every phase with some words in front of its name."""

    def __init__(self, watcher: Watcher, words: str) -> None:
        self.watcher, self.words = watcher, words

    def phase(self, name: str, total: int) -> None:
        """Tells the phase under its longer name."""
        self.watcher.phase(f"{self.words}{name}", total)

    def step(self, done: int, note: str) -> None:
        """Tells the step as it is."""
        self.watcher.step(done, note)


class Silent:
    """A watcher that says nothing."""

    def phase(self, name: str, total: int) -> None:
        """Says nothing."""

    def step(self, done: int, note: str) -> None:
        """Says nothing."""


class Clock:
    """Wall time by phase, in seconds; phases of one name are added up."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measures what happens inside."""
        started = time.monotonic()
        yield
        self.seconds[name] += time.monotonic() - started
