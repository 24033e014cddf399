"""Several searches side by side: what they found, and in which settings they differ."""

import json
from collections.abc import Sequence
from typing import Any

from dass_ray.config import ELSEWHERE
from dass_ray.errors import UserError
from dass_ray.report.candidates import CostName
from dass_ray.report.gather import SearchReport, gather
from dass_ray.report.students import Student
from dass_ray.report.wording import percent
from dass_ray.store.base import Store


def gather_all(store: Store, ids: Sequence[str]) -> list[SearchReport]:
    """The searches in the order that they were named in; UserError for one that is not there."""
    if len(set(ids)) < len(ids):
        raise UserError("a search is named twice: name each one once")
    return [gather(store, one) for one in ids]


def differences(reports: Sequence[SearchReport]) -> list[dict[str, str]]:
    """For each search, the settings in which not all are alike, as `--set` would take them."""
    every = [
        _flat(r.card.config.model_dump(mode="json", exclude=ELSEWHERE | {"name"})) for r in reports
    ]
    names = dict.fromkeys(name for one in every for name in one)
    differ = [name for name in names if len({one.get(name) for one in every}) > 1]
    return [{name: one.get(name, "null") for name in differ} for one in every]


def _flat(settings: dict[str, Any], before: str = "") -> dict[str, str]:
    out: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, dict):
            out |= _flat(value, f"{before}{name}.")
        else:
            out[before + name] = json.dumps(value).replace('"', "")
    return out


def front(report: SearchReport, cost: CostName) -> list[Student]:
    """Verified students than which no other is both cheaper and better on validation."""
    out: list[Student] = []
    for student in sorted(report.verified, key=lambda s: (getattr(s.choice, cost), _worse(s))):
        if not out or _worse(student) < _worse(out[-1]):
            out.append(student)
    return out


def _worse(student: Student) -> float:
    return -(student.validation or 0.0)


def headline(reports: Sequence[SearchReport]) -> str:
    """Whose student is the best, where that can be said."""
    if not comparable(reports):
        return "The searches are of different data: accuracies of one say nothing about another's."
    some = [report for report in reports if report.best]
    if not some:
        return "No student is verified yet."
    first = min(some, key=lambda report: _worse(report.best) if report.best else 0.0)
    assert first.best is not None
    data, best = first.card.config.dataset, first.best
    return (
        f"Of {len(reports)} searches on {data}, {first.card.id} has the student with the highest "
        f"validation accuracy, {percent(best.validation)}; it reaches {percent(best.test)} on the "
        "test split."
    )


def comparable(reports: Sequence[SearchReport]) -> bool:
    """Whether all are of the same images."""
    return len({report.dataset.fingerprint for report in reports}) == 1


def spent(report: SearchReport) -> float | None:
    """Wall time of the call that ended the search, s; None before its end."""
    return sum(report.finished.seconds.values()) if report.finished else None
