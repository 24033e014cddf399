"""Who is told while long work goes on."""

from typing import Protocol


class Watcher(Protocol):
    """What is told while long work goes on."""

    def phase(self, name: str, total: int) -> None:
        """A phase of so many steps begins."""
        ...

    def step(self, done: int, note: str) -> None:
        """So many steps of the phase are done."""
        ...


class Silent:
    """A watcher that says nothing."""

    def phase(self, name: str, total: int) -> None:
        """Says nothing."""

    def step(self, done: int, note: str) -> None:
        """Says nothing."""
