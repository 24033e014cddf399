"""The report for a terminal."""

from typing import Any

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
    stage,
    start,
    unverified,
    versus,
)
from dass_ray.space import block_text

_NUMBER: dict[str, Any] = {"justify": "right", "no_wrap": True}
COLUMNS: dict[str, dict[str, Any]] = {
    "role": {"no_wrap": True},
    "round": _NUMBER,
    "student": {"overflow": "fold", "min_width": 8},
    **dict.fromkeys(("params", "FLOPs", "ms", "predicted", "valid.", "test"), _NUMBER),
    "status": {"min_width": 8},
}
STYLES = {"ok": "green", "diverged": "red", "failed": "red", "waiting": "dim"}


def table(report: SearchReport) -> Table:
    """The distilled students, best validation accuracy first, below them the teacher.

    A column that says the same of every student, as of one round, is left out.
    """
    caption = "ranked by validation accuracy; test accuracy is for reporting only"
    out = Table(box=SIMPLE_HEAD, pad_edge=False, collapse_padding=True, caption=caption)
    one, ok = report.rounds[1] == 1, len(report.verified) == len(report.students)
    needless = {"round": one, "status": ok, "ms": not report.timed}
    shown = [name for name in COLUMNS if not needless.get(name)]
    for name in shown:
        out.add_column(name, **COLUMNS[name])
    for student in report.students:
        cells = _cells(student)
        out.add_row(*map(cells.get, shown), end_section=student is report.students[-1])
    out.add_row(*map(_teacher_cells(report).get, shown), style="dim")
    return out


def _cells(student: Student) -> dict[str, str | Text]:
    choice = student.choice
    return {
        "role": choice.role,
        "round": str(choice.round),
        "student": Text(choice.spec),
        "params": count(choice.params),
        "FLOPs": count(choice.flops),
        "ms": "" if choice.latency is None else f"{choice.latency:.3g}",
        "predicted": f"{percent(choice.predicted)} ± {100 * choice.uncertainty:.1f}",
        "valid.": percent(student.validation),
        "test": percent(student.test),
        "status": Text(student.note, style=STYLES[student.status]),
    }


def _teacher_cells(report: SearchReport) -> dict[str, str | Text]:
    teacher = report.card.teacher
    full = (block_text(stage[-1]) for stage in teacher.space.blocks)
    own = "/".join(f"{block}×{teacher.space.max_depth}" for block in full)
    stages = teacher.foreign.network.source if teacher.foreign else own
    return {
        "role": "teacher",
        "student": Text(stages),
        "params": count(report.teacher_params),
        "FLOPs": count(report.teacher_flops),
        "valid.": percent(teacher.validation),
        "test": percent(teacher.test),
    }


def summary(report: SearchReport) -> list[str]:
    """Three to five sentences with the figures that matter."""
    if not report.students:
        return [progress(report), _teacher(report), _where(report)]
    opening = [_best(report)] if report.best else [progress(report), _teacher(report)]
    findings = [versus(report.test, "test"), correlation(report)] if report.best else []
    begun = [start(report)] if report.card.teacher.foreign else []
    return [*opening, *begun, *findings, *unverified(report), _where(report)]


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
    state = "" if report.finished else f"{stage(report)}, not finished"
    return (
        f"{len(report.candidates):,} candidates scored, {done} of {wanted} distillations done in "
        f"{duration(report.kd_seconds)}{state}; everything is in {report.folder}."
    )
