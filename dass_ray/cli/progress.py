"""Progress of long work: a bar with rate and time left, or lines where there is no terminal.

Lines are meant for logs, plain or JSON: at most one in `LINE_S` seconds, and one at the end of each
phase.
"""

import json
import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_S = 15.0
INTERRUPTED, TERMINATED = 130, 143  # exit codes after Ctrl-C and SIGTERM, as shells give them


def tell(event: str, **facts: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Prints one JSON line."""
    print(json.dumps({"event": event, "time": round(time.time(), 1), **facts}), flush=True)


class Bars:
    """A `watch.Watcher` that shows phases and steps to a person; a quiet one shows none.

    as_json: JSON lines instead, also to a terminal; again: what the same command does after it was
    stopped.
    """

    def __init__(
        self,
        console: Console,
        *,
        quiet: bool = False,
        as_json: bool = False,
        again: str = "goes on with what is missing",
    ) -> None:
        self.console, self.name, self.total = console, "", 0
        self.as_json, self.again = as_json, again
        self.lines = not quiet and (as_json or not console.is_terminal)
        self.task: TaskID | None = None
        self.started = self.line_at = time.monotonic()
        self.first = self.told = 0
        self.progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[note]}"),
            console=console,
            disable=quiet or as_json or not console.is_terminal,
        )

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.progress.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            if self.as_json:
                tell("stopped")
            else:
                self.console.print(f"stopped; the same command {self.again}")
            raise SystemExit(INTERRUPTED if kind is KeyboardInterrupt else TERMINATED)

    def phase(self, name: str, total: int) -> None:
        """Begins a bar of `total` steps."""
        self.name, self.total, self.first, self.told = name, total, -1, -1
        self.started = self.line_at = time.monotonic()
        self.task = self.progress.add_task(name, total=total, rate="", note="")
        self._line(f"{name}: 0 of {total}" if total else name, 0, 0.0, "")

    def step(self, done: int, note: str) -> None:
        """Shows that `done` steps are finished; the first call tells what was done before."""
        assert self.task is not None
        self.first = done if self.first < 0 else self.first
        seconds = time.monotonic() - self.started
        rate = (done - self.first) / seconds if seconds else 0.0
        shown = f"{rate:.1f}/s" if rate >= 1 else f"{60 * rate:.1f}/min" if rate else ""
        self.progress.update(self.task, completed=done, rate=shown, note=note)
        if self.told < done >= self.total or time.monotonic() - self.line_at >= LINE_S:
            self.told, self.line_at = done, time.monotonic()
            left = f", {(self.total - done) / rate:.0f} s left" if rate else ""
            text = f"{self.name}: {done} of {self.total} {shown}{left} {note}"
            self._line(text, done, rate, note)

    def fraction(self, done: int, total: int) -> None:
        """Shows progress of a phase whose number of steps is only known now."""
        assert self.task is not None
        self.total = total
        self.progress.update(self.task, total=total)
        self.step(done, "")

    def _line(self, text: str, done: int, rate: float, note: str) -> None:
        if not self.lines:
            return
        if not self.as_json:
            self.console.print(text, highlight=False, soft_wrap=True)
            return
        left = round((self.total - done) / rate) if rate else None
        tell(
            "progress", phase=self.name, done=done, total=self.total,
            per_s=round(rate, 3), seconds_left=left, note=note,
        )  # fmt: skip
