"""The students that a search distilled, with what came of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from dass_ray.records import RunRow, Status
from dass_ray.searches import Choice


@dataclass(frozen=True)
class Student:
    """A chosen student and the rows of its runs that are done. Accuracies are shares in [0, 1]."""

    choice: Choice
    rows: tuple[RunRow, ...]

    @property
    def status(self) -> Status | Literal["waiting"]:
        """`ok` where every run ended well; otherwise what hinders it most."""
        found = {row.status for row in self.rows}
        if "failed" in found:
            return "failed"
        if "diverged" in found:
            return "diverged"
        return "ok" if len(self.rows) == len(self.choice.keys) else "waiting"

    @property
    def note(self) -> str:
        """The status in words, with the number of runs where there are several seeds."""
        runs = len(self.choice.keys)
        if self.status == "waiting":
            return f"{len(self.rows)} of {runs} runs done" if runs > 1 else "not yet distilled"
        hit = sum(row.status == self.status for row in self.rows)
        return self.status if hit == runs else f"{self.status} ({hit} of {runs} runs)"

    @property
    def validation(self) -> float | None:
        """Validation accuracy, the mean over the runs that have one; the choice is made by it."""
        return _mean(row.validation for row in self.rows)

    @property
    def test(self) -> float | None:
        """Test accuracy, the mean over the runs that have one; for reporting only."""
        return _mean(row.test for row in self.rows)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def match(choices: Iterable[Choice], rows: Mapping[str, RunRow]) -> tuple[Student, ...]:
    """The students with their rows (by key), best first.

    First those whose every run ended well, by validation accuracy, of equal ones the smaller first;
    then the others.
    """
    students = [
        Student(choice, tuple(rows[key] for key in choice.keys if key in rows))
        for choice in choices
    ]
    return tuple(sorted(students, key=_rank))


def _rank(student: Student) -> tuple[bool, float, int]:
    return (student.status != "ok", -(student.validation or 0.0), student.choice.params)
