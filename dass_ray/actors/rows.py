"""The ledger row of a run that has ended, well or badly."""

import platform
import uuid
from typing import Any

import torch

from dass_ray import __version__
from dass_ray.cost import cost
from dass_ray.kd import group
from dass_ray.kd.trained import Trained
from dass_ray.records import Run, RunRow, Status
from dass_ray.space import Spec


def row(
    run: Run, trained: Trained, test: float | None, started: float, failure: str = ""
) -> RunRow:
    """The ledger row of a run; started: s since 1970; failure: why it failed, if it did."""
    card, curve = run.teacher, trained.curve
    status: Status = "failed" if failure else trained.status
    ok = status == "ok"
    diverged = f"the loss stopped being finite in epoch {len(curve) + 1}"
    costs = cost(card.space, card.space.pack([Spec.parse(run.spec)]), len(card.classes))
    facts: dict[str, Any] = {
        "validation": curve[-1] if ok else None,
        "validation_best": max(curve) if ok else None,
        "test": test,
        "curve": curve,
    }
    return RunRow(
        key=run.key,
        status=status,
        error=failure or ("" if ok else diverged),
        dataset=card.dataset,
        dataset_fingerprint=card.dataset_fingerprint,
        teacher=card.id,
        teacher_fingerprint=card.fingerprint,
        teacher_validation=card.validation,
        teacher_test=card.test,
        classes=len(card.classes),
        space=card.space.model_dump_json(),
        spec=run.spec,
        params=int(costs.params[0]),
        flops=int(costs.flops[0]),
        recipe=run.recipe.model_dump_json(),
        seed=run.seed,
        seconds=trained.seconds,
        device=_device(),
        host=platform.node(),
        started_at=started,
        attempt=uuid.uuid4().hex,
        code_version=__version__,
        **facts,
    )


def _device() -> str:
    """What a run is done on, also where several workers share it: their seconds are fewer."""
    one = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    return one if group.size() == 1 else f"{group.size()} x {one}"


def failed(run: Run, started: float, why: str) -> RunRow:
    """The row of a run that failed, and gave nothing."""
    return row(run, Trained(), None, started, why)
