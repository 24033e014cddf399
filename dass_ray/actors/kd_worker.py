"""KD on workers: what Ray tasks run to train teachers, make soft labels and distil students.

The functions are plain; `remote` makes Ray tasks of them. Each loads its data set from the store
once per worker process. Soft labels are made once per task and reach the workers through Ray's
object store.
"""

import functools
import platform
import time
import uuid
from collections.abc import Callable
from typing import Any

import ray
import torch

from dass_ray import __version__, ledger
from dass_ray.actors import board
from dass_ray.actors.session import has_gpus
from dass_ray.config import Resources
from dass_ray.cost import cost
from dass_ray.data.builtin import resolve
from dass_ray.data.dataset import Dataset
from dass_ray.kd.checkpoint import StoreCheckpoints
from dass_ray.kd.distill import distil
from dass_ray.kd.teachers import TeacherPlan, find_card, load_net, train_into
from dass_ray.kd.trained import Trained
from dass_ray.kd.views import SoftLabels, soft_labels
from dass_ray.models.resnet import ResNet
from dass_ray.models.weights import to_bytes
from dass_ray.recipe import KDRecipe
from dass_ray.records import Run, RunRow, Status, TeacherCard
from dass_ray.space import Spec
from dass_ray.store import open_store
from dass_ray.store.base import Store

RETRIES = 3  # of a task whose node or worker process was lost


def demand(resources: Resources) -> dict[str, float]:
    """What one KD task asks Ray for: a share of a GPU where there are some, else CPUs."""
    if has_gpus():
        return {"num_cpus": resources.cpus_per_run, "num_gpus": resources.gpus_per_run}
    return {"num_cpus": resources.cpus_per_run}


def remote(function: Callable[..., Any], demand: dict[str, float]) -> Callable[..., Any]:
    """Submits a function of this module as a Ray task; returns a reference to its result."""
    task = ray.remote(max_retries=RETRIES, **demand)(function)
    submit: Callable[..., Any] = task.remote
    return submit


def device() -> torch.device:
    """The GPU that Ray gave to this worker, otherwise the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.lru_cache(maxsize=1)
def _store(uri: str) -> Store:
    return open_store(uri)  # once a process: opening probes the store


@functools.lru_cache(maxsize=2)
def _dataset(uri: str, name: str, size: int) -> Dataset:
    return resolve(_store(uri), name).resized(size).to(device())


@functools.lru_cache(maxsize=2)
def _teacher(uri: str, card: TeacherCard) -> ResNet:
    return load_net(_store(uri), card).to(device())


def train_teacher(
    uri: str,
    dataset: str,
    plan: TeacherPlan,
    progress: Any = None,  # noqa: ANN401 - Ray's actor handles have no type
) -> TeacherCard:
    """Trains the planned teacher, unless the store has it, and returns its card.

    progress: handle of a `board.Board` that is told after every epoch, by the teacher's identity.
    """
    store, data = _store(uri), _dataset(uri, dataset, plan.space.image_size)
    identity = plan.id(data)
    if card := find_card(store, identity):
        return card
    checkpoints = StoreCheckpoints(store, identity)
    card = train_into(
        store, plan, data, checkpoints=checkpoints, on_epoch=board.teller(progress, identity)
    )
    checkpoints.clear()
    return card


def make_soft_labels(uri: str, card: TeacherCard, recipe: KDRecipe) -> SoftLabels:
    """The teacher's logits on the recipe's fixed views."""
    data = _dataset(uri, card.dataset, card.space.image_size)
    return soft_labels(_teacher(uri, card), data, recipe)


def distil_shard(
    uri: str, runs: list[Run], labels: SoftLabels, keep_weights: bool = False
) -> list[RunRow]:
    """Distils the students of one task and commits their rows as one part.

    keep_weights: also commit each student's weights, before its row.
    """
    store = _store(uri)
    rows = [_distil(store, uri, run, labels, keep_weights) for run in runs]
    ledger.commit(store, rows)
    for run in runs:
        StoreCheckpoints(store, run.key).clear()
    return rows


def _distil(store: Store, uri: str, run: Run, labels: SoftLabels, keep_weights: bool) -> RunRow:
    """One run; what a student itself provokes, such as too little memory, becomes a failed row."""
    card, started = run.teacher, time.time()
    data = _dataset(uri, card.dataset, card.space.image_size)
    teacher, checkpoints = _teacher(uri, card), StoreCheckpoints(store, run.key)
    try:
        out = distil(
            Spec.parse(run.spec), teacher, labels, data, run.recipe, run.seed,
            checkpoints=checkpoints,
        )  # fmt: skip
    except (RuntimeError, MemoryError) as error:
        return row(run, Trained(), None, started, f"{type(error).__name__}: {error}")
    if keep_weights and out.trained.status == "ok":
        store.put(f"students/{run.key}.safetensors", to_bytes(out.net.state_dict()))
    return row(run, out.trained, out.test, started)


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
        device=torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        host=platform.node(),
        started_at=started,
        attempt=uuid.uuid4().hex,
        code_version=__version__,
        **facts,
    )
