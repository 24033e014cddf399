"""Which student of a search is exported."""

from dataclasses import dataclass

from dass_ray import ledger, searches
from dass_ray.errors import UserError
from dass_ray.export.config import ExportConfig
from dass_ray.records import RunRow
from dass_ray.report.students import Student, match
from dass_ray.searches import SearchCard
from dass_ray.store.base import Store


@dataclass(frozen=True)
class Chosen:
    """A verified student and the run whose weights are taken: its best on validation."""

    student: Student
    run: RunRow


def choose(store: Store, card: SearchCard, config: ExportConfig) -> Chosen:
    """The best verified student of a search that is as the configuration wants it.

    By the order of the search's report. UserError where no student is left.
    """
    known_teachers = [teacher.id for teacher in card.teachers]
    if config.teacher not in (None, *known_teachers):
        raise UserError(
            f"the search {card.id!r} has no teacher {config.teacher!r}; it has "
            f"{', '.join(known_teachers)}"
        )
    choices = searches.choices(store, card.id)
    rows = ledger.rows_of(store, {key for choice in choices for key in choice.keys})
    verified = [student for student in match(choices, rows) if student.validation is not None]
    of_teacher = [
        student
        for student in verified
        if config.teacher in (None, card.named(student.choice.teacher).id)
    ]
    named = [student for student in of_teacher if config.spec in (None, student.choice.spec)]
    if not named:
        known = ", ".join(sorted({student.choice.spec for student in of_teacher})) or "none yet"
        raise UserError(f"no such verified student in {card.id!r}; verified: {known}")
    limit = config.latency_ms
    student = named[0] if limit is None else _first_within(card, named, limit)
    done = [row for row in student.rows if row.validation is not None]
    return Chosen(student, max(done, key=lambda row: (row.validation, row.key)))


def _first_within(card: SearchCard, students: list[Student], limit: float) -> Student:
    times = [(student.choice.latency, student) for student in students]
    known = [(ms, student) for ms, student in times if ms is not None]
    if not known:
        raise UserError(
            f"the search {card.id!r} knows no latencies: measure a table with `dass-ray latency "
            "measure NAME` and search with `-s latency=NAME`"
        )
    within = [student for ms, student in known if ms <= limit]
    if not within:
        raise UserError(
            f"no verified student of {card.id!r} takes {limit:g} ms or less, the fastest takes "
            f"{min(ms for ms, _ in known):.3g} ms: search with `-s limits.latency={limit:g}`"
        )
    return within[0]
