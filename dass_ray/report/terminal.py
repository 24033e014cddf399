"""The report for a terminal."""

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from dass_ray.report.gather import SearchReport
from dass_ray.report.students import Student
from dass_ray.report.teachers import Teacher
from dass_ray.report.wording import (
    correlation,
    count,
    duration,
    named,
    of_teachers,
    percent,
    points,
    progress,
    smaller,
    stage,
    start,
    subject,
    unverified,
    versus,
)
from dass_ray.space import block_text

_NUMBER: dict[str, Any] = {"justify": "right", "no_wrap": True}
COLUMNS: dict[str, dict[str, Any]] = {
    "role": {"no_wrap": True},
    "from": _NUMBER,
    "round": _NUMBER,
    "student": {"overflow": "fold", "min_width": 8},
    **dict.fromkeys(("params", "FLOPs", "ms", "predicted", "valid.", "test"), _NUMBER),
    "status": {"min_width": 8},
}
STYLES = {"ok": "green", "diverged": "red", "failed": "red", "waiting": "dim"}


def table(report: SearchReport) -> Table:
    """The distilled students, best validation accuracy first, below them their teachers.

    A column that says the same of every student, as of one round, is left out.
    """
    caption = "ranked by validation accuracy; test accuracy is for reporting only"
    out = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, caption=caption)
    one, ok = report.rounds[1] == 1, len(report.verified) == len(report.students)
    needless = {
        "from": len(report.teachers) == 1, "round": one, "status": ok, "ms": not report.timed,
    }  # fmt: skip
    shown = [name for name in COLUMNS if not needless.get(name)]
    for name in shown:
        out.add_column(name, **COLUMNS[name])
    for student in report.students:
        cells = _cells(student, report.teacher_of(student))
        out.add_row(*map(cells.get, shown), end_section=student is report.students[-1])
    for teacher in report.teachers:
        out.add_row(*map(_teacher_cells(teacher).get, shown), style="dim")
    return out


def _cells(student: Student, teacher: Teacher) -> dict[str, str | Text]:
    choice = student.choice
    return {
        "role": choice.role,
        "from": teacher.label.removeprefix("teacher "),
        "round": str(choice.round),
        "student": Text(choice.spec),
        "params": count(choice.params),
        "FLOPs": count(choice.flops),
        "ms": "" if choice.latency is None else f"{choice.latency:.3g}",
        "predicted": f"{percent(choice.predicted)} ± {_points(choice.uncertainty)}",
        "valid.": percent(student.validation),
        "test": percent(student.test),
        "status": Text(student.note, style=STYLES[student.status]),
    }


def _points(share: float) -> str:
    """Percentage points; few as "<0.1", which is not none."""
    points = 100 * share
    return f"{points:.1f}" if points >= 0.05 or not points else "<0.1"


def _teacher_cells(teacher: Teacher) -> dict[str, str | Text]:
    card = teacher.card
    full = (block_text(stage[-1]) for stage in card.space.blocks)
    own = "/".join(f"{block}×{card.space.max_depth}" for block in full)
    stages = card.foreign.network.source if card.foreign else own
    return {
        "role": teacher.label,
        "student": Text(stages),
        "params": count(teacher.params),
        "FLOPs": count(teacher.flops),
        "valid.": percent(card.validation),
        "test": percent(card.test),
    }


def summary(report: SearchReport) -> list[str]:
    """A few sentences with the figures that matter."""
    opening = [_best(report)] if report.best else [progress(report), *_teachers(report)]
    if not report.students:
        return [*opening, _where(report)]
    findings = [versus(report.test, "test"), correlation(report)] if report.best else []
    begun = [start(report, one) for one in report.teachers if one.card.foreign]
    by_teacher = of_teachers(report) if report.best else []
    return [*opening, *begun, *by_teacher, *findings, *unverified(report), _where(report)]


def _best(report: SearchReport) -> str:
    best, teacher = report.best, report.teacher
    assert best is not None
    assert best.test is not None
    whose = f", distilled from {named(teacher)}" if report.card.others else ""
    return (
        f"Best student {best.choice.spec}{whose}: {percent(best.test)} on the test split, "
        f"{points(best.test - teacher.card.test)} points against the teacher, "
        f"with {smaller(report, best)}."
    )


def _teachers(report: SearchReport) -> list[str]:
    return [
        f"{subject(teacher)} reaches {percent(teacher.card.test)} on the test split "
        f"with {count(teacher.params)} parameters and {count(teacher.flops)} FLOPs."
        for teacher in report.teachers
    ]


def _where(report: SearchReport) -> str:
    done, wanted = report.runs
    state = "" if report.finished else f"{stage(report)}, not finished"
    return (
        f"{len(report.candidates):,} candidates scored, {done} of {wanted} distillations done in "
        f"{duration(report.kd_seconds)}{state}; everything is in {report.folder}."
    )
