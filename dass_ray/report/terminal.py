"""The report for a terminal."""

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from dass_ray.report.gather import SearchReport
from dass_ray.report.students import Student
from dass_ray.report.wording import (
    correlation,
    count,
    duration,
    percent,
    points,
    progress,
    smaller,
    unverified,
    versus,
)

STYLES = {"ok": "green", "diverged": "red", "failed": "red", "waiting": "dim"}


def table(report: SearchReport) -> Table:
    """The distilled students, best validation accuracy first, below them the teacher."""
    caption = "ranked by validation accuracy; test accuracy is for reporting only"
    out = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, caption=caption)
    out.add_column("role", no_wrap=True)
    out.add_column("student", overflow="fold", min_width=8)
    for name in ("params", "FLOPs", "predicted", "valid.", "test"):
        out.add_column(name, justify="right", no_wrap=True)
    if told := any(student.status != "ok" for student in report.students):
        out.add_column("status", min_width=8)
    for student in report.students:
        cells = _cells(student) if told else _cells(student)[:-1]
        out.add_row(*cells, end_section=student is report.students[-1])
    teacher = report.card.teacher
    size = count(report.teacher_params), count(report.teacher_flops)
    found = percent(teacher.validation), percent(teacher.test)
    stages = "/".join(f"{width}×{teacher.space.max_depth}" for width in teacher.space.widths)
    out.add_row("teacher", Text(stages), *size, "", *found, style="dim")
    return out


def _cells(student: Student) -> tuple[str | Text, ...]:
    choice = student.choice
    return (
        choice.role,
        Text(choice.spec),
        count(choice.params),
        count(choice.flops),
        f"{percent(choice.predicted)} ± {100 * choice.uncertainty:.1f}",
        percent(student.validation),
        percent(student.test),
        Text(student.note, style=STYLES[student.status]),
    )


def summary(report: SearchReport) -> list[str]:
    """Three to five sentences with the figures that matter."""
    if not report.students:
        return [progress(report), _teacher(report), _where(report)]
    opening = [_best(report)] if report.best else [progress(report), _teacher(report)]
    findings = [versus(report.test, "test"), correlation(report)] if report.best else []
    return [*opening, *findings, *unverified(report), _where(report)]


def _best(report: SearchReport) -> str:
    best, teacher = report.best, report.card.teacher
    assert best is not None
    assert best.test is not None
    return (
        f"Best student {best.choice.spec}: {percent(best.test)} on the test split, "
        f"{points(best.test - teacher.test)} points against the teacher, "
        f"with {smaller(report, best)}."
    )


def _teacher(report: SearchReport) -> str:
    card = report.card.teacher
    return (
        f"The teacher reaches {percent(card.test)} on the test split with "
        f"{count(report.teacher_params)} parameters and {count(report.teacher_flops)} FLOPs."
    )


def _where(report: SearchReport) -> str:
    done, wanted = report.runs
    state = "" if report.finished else ", not finished"
    return (
        f"{len(report.candidates):,} candidates scored, {done} of {wanted} distillations done in "
        f"{duration(report.kd_seconds)}{state}; everything is in {report.folder}."
    )
