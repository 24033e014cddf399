"""Figures as people read them, and the sentences that tell a search's result."""

from dass_ray.report.gather import SearchReport
from dass_ray.report.statistics import Comparison
from dass_ray.report.students import Student
from dass_ray.report.teachers import Teacher


def percent(share: float | None) -> str:
    """`81.2%`, or a dash where there is none."""
    return "–" if share is None else f"{100 * share:.1f}%"


def points(difference: float) -> str:
    """A difference of two shares in percentage points, signed: `+1.5`."""
    return f"{100 * difference:+.1f}".replace("-", "−")


def count(n: float) -> str:
    """Three digits and a unit: `812`, `24.3k`, `1.25M`."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if n >= 0.9995 * size:  # which rounds to 1.00 of this unit
            return f"{n / size:#.3g}".rstrip(".") + unit
    return f"{n:.0f}"


def factor(larger: float, smaller: float) -> str:
    """How many times larger, `5.8×`."""
    return f"{larger / smaller:.1f}×"


def duration(seconds: float) -> str:
    """`0.8 s`, `42 s`, `3.5 min` or `2.1 h`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def headline(report: SearchReport) -> str:
    """The result in one sentence, or how far the search has come."""
    best, teacher = report.best, report.teacher
    if best is None:
        return progress(report)
    whose = f", {named(teacher)}," if report.card.others else ""
    return (
        f"A student with {smaller(report, best)} reaches {percent(best.test)} on the test split; "
        f"its teacher{whose} reaches {percent(teacher.card.test)}."
    )


def named(teacher: Teacher) -> str:
    """A teacher of several: `teacher 2 (its identity)`."""
    return f"{teacher.label} ({teacher.card.id})"


def subject(teacher: Teacher) -> str:
    """A teacher at the beginning of a sentence."""
    return "The teacher" if teacher.label == "teacher" else f"T{named(teacher)[1:]}"


def of_teachers(report: SearchReport) -> list[str]:
    """What students of each of several teachers reach; random ones got the teachers in turn."""
    if not report.card.others:
        return []
    parts = [f"from {one.label} {_by_role(report, one)}" for one in report.teachers]
    return [f"On the test split students average: {'; '.join(parts)}."]


def _by_role(report: SearchReport, teacher: Teacher) -> str:
    mine = [student for student in report.verified if report.teacher_of(student) is teacher]
    found = {
        role: [student.test or 0.0 for student in mine if student.choice.role == role]
        for role in ("top", "random")
    }
    parts = [
        f"{percent(sum(tests) / len(tests))} ({len(tests)} {role})"
        for role, tests in found.items()
        if tests
    ]
    return " and ".join(parts) or "none is verified"


def start(report: SearchReport, teacher: Teacher) -> str:
    """Where the students' first weights come from, and what a teacher from elsewhere is."""
    card, untrained = teacher.card, report.card.config.kd.start == "random"
    if card.foreign is None:
        return "Students start untrained." if untrained else "Students start from their teacher."
    proxy = card.foreign.proxy
    which = (
        f"its proxy, the largest network of the space {card.space.name}, which was distilled from "
        f"it and reaches {percent(proxy.validation)} validation, {percent(proxy.test)} test"
    )
    begin = f"untrained; they are scored by {which}" if untrained else f"from {which}"
    return f"{subject(teacher)} is {teacher.network}. Students start {begin}."


def smaller(report: SearchReport, student: Student) -> str:
    """How much smaller than its teacher a student is, or how much larger."""
    teacher = report.teacher_of(student)
    params = against(teacher.params, student.choice.params)
    flops = against(teacher.flops, student.choice.flops)
    return f"{params} parameters and {flops} FLOPs"


def against(teacher: float, student: float) -> str:
    """`5.8× fewer` than the teacher has, or `1.2× more`."""
    if student > teacher:
        return f"{factor(student, teacher)} more"
    return f"{factor(teacher, student)} fewer"


def progress(report: SearchReport) -> str:
    """How far the search has come."""
    if report.students:
        done, wanted = report.runs
        return (
            f"{done} of {wanted} distillations are done{stage(report)}, "
            f"{len(report.verified)} students verified."
        )
    scored, wanted = len(report.candidates), report.card.config.candidates
    return f"{scored:,} of {wanted:,} candidates are scored; no student is distilled yet."


def stage(report: SearchReport) -> str:
    """`, round 2 of 3`, or nothing where there is one round."""
    newest, rounds = report.rounds
    return f", round {newest} of {rounds}" if rounds > 1 else ""


def versus(comparison: Comparison, split: str) -> str:
    """The top students against the random ones, with n and what chance would give."""
    difference = comparison.difference
    if difference is None:
        return "There is no comparison with random students."
    sentence = (
        f"On the {split} split the {comparison.top_n} top students average "
        f"{percent(comparison.top)}, {comparison.random_n} random ones within the same limits "
        f"{percent(comparison.random)}: {points(difference)} points"
    )
    if comparison.interval is None:
        return f"{sentence}, from too few students for an interval."
    low, high = (points(end) for end in comparison.interval)
    return f"{sentence} (95% bootstrap {low} to {high}, permutation p = {comparison.p:.2g})."


def sizes(report: SearchReport) -> str:
    """Mean sizes of verified top and random students, of which there are some of both."""
    params: dict[str, list[int]] = {"top": [], "random": []}
    for student in report.verified:
        params[student.choice.role].append(student.choice.params)
    top, random = (count(sum(sizes) / len(sizes)) for sizes in params.values())
    return (
        f"Top students average {top} parameters and random ones {random}, "
        "so part of a difference can be size alone."
    )


def correlation(report: SearchReport) -> str:
    """How well the prediction ranks the verified students."""
    n = len(report.verified)
    if report.spearman is None:
        return f"{n} verified students are too few, or too alike, for a rank correlation."
    rho = f"{report.spearman:.2f}".replace("-", "−")
    return (
        f"Predicted and verified validation accuracy have a Spearman correlation of {rho} "
        f"over {n} students."
    )


def unverified(report: SearchReport) -> list[str]:
    """A sentence on students that were not distilled as planned, where there are some."""
    states = [student.status for student in report.students if student.status != "ok"]
    if not states:
        return []
    parts = [f"{states.count(state)} {state}" for state in dict.fromkeys(states)]
    return [f"Left out of every mean: {', '.join(parts)} of {len(report.students)} students."]
