"""Gathering: everything that a report shows, read from the store alone."""

from dataclasses import dataclass
from typing import Literal

from dass_ray import ledger, searches
from dass_ray.data.card import DatasetCard, read_card
from dass_ray.report.candidates import Candidates
from dass_ray.report.statistics import Comparison, compare, spearman
from dass_ray.report.students import Student, match
from dass_ray.report.teachers import Teacher, teachers
from dass_ray.searches import Finished, SearchCard
from dass_ray.store.base import Store


@dataclass(frozen=True)
class SearchReport:
    """A search, finished or not. Accuracies are shares in [0, 1].

    students: ranked by validation accuracy, none before the search has chosen them.
    finished: None while the search is under way.
    """

    uri: str  # of the store
    card: SearchCard
    dataset: DatasetCard
    candidates: Candidates
    students: tuple[Student, ...]
    finished: Finished | None
    teachers: tuple[Teacher, ...]
    validation: Comparison
    test: Comparison
    spearman: float | None  # predicted against validation accuracy, over the verified students

    @property
    def verified(self) -> tuple[Student, ...]:
        """The students whose every run ended well, best first."""
        return tuple(student for student in self.students if student.status == "ok")

    @property
    def best(self) -> Student | None:
        """The student to use: the verified one of highest validation accuracy."""
        return next(iter(self.verified), None)

    def teacher_of(self, student: Student) -> Teacher:
        """The one that a student is distilled from."""
        return self.teachers[self.card.names.index(student.choice.teacher)]

    @property
    def teacher(self) -> Teacher:
        """That of the best student; before there is one, the first."""
        return self.teacher_of(self.best) if self.best else self.teachers[0]

    @property
    def runs(self) -> tuple[int, int]:
        """KD runs that have a row, and all that the search wants."""
        wanted = {key for student in self.students for key in student.choice.keys}
        return len(self._seconds), len(wanted)

    @property
    def rounds(self) -> tuple[int, int]:
        """The newest round that has its students, from 1, and all that the search wants."""
        newest = max((student.choice.round for student in self.students), default=0)
        return newest, max(newest, self.card.config.verify.rounds)

    @property
    def timed(self) -> bool:
        """Whether the search knew how long its students take."""
        return self.card.config.latency is not None

    @property
    def kd_seconds(self) -> float:
        """Seconds in the training loops of all KD runs together."""
        return sum(self._seconds.values())

    @property
    def devices(self) -> list[str]:
        """What the KD runs ran on."""
        return sorted({row.device for student in self.students for row in student.rows})

    @property
    def _seconds(self) -> dict[str, float]:
        return {row.key: row.seconds for student in self.students for row in student.rows}

    @property
    def folder(self) -> str:
        """Where the search lies in its store."""
        return f"{self.uri.rstrip('/')}/searches/{self.card.id}"


def gather(store: Store, search_id: str) -> SearchReport:
    """The report of a search; UserError where the store lacks it or its data set."""
    card = searches.card(store, search_id)
    chosen = searches.choices(store, search_id)
    rows = ledger.rows_of(store, {key for choice in chosen for key in choice.keys})
    students = match(chosen, rows)
    verified = [student for student in students if student.status == "ok"]
    return SearchReport(
        uri=store.uri,
        card=card,
        dataset=read_card(store, card.config.dataset),
        candidates=Candidates.of(searches.read_batches(store, search_id)),
        students=students,
        finished=searches.finished(store, search_id),
        teachers=teachers(card),
        validation=_compare(verified, "validation"),
        test=_compare(verified, "test"),
        spearman=spearman(
            [student.choice.predicted for student in verified],
            [student.validation for student in verified if student.validation is not None],
        ),
    )


def _compare(students: list[Student], split: Literal["validation", "test"]) -> Comparison:
    groups: dict[str, list[float]] = {"top": [], "random": []}
    for student in students:
        accuracy = student.validation if split == "validation" else student.test
        assert accuracy is not None, student  # a run that ended well has both
        groups[student.choice.role].append(accuracy)
    return compare(groups["top"], groups["random"])
