"""From the run ledger to what the predictor learns from and is judged by."""

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import torch

from dass_ray import ledger
from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.kd.teachers import find_card, load_net
from dass_ray.predictor.encode import encode_students, encode_task
from dass_ray.predictor.meta_train import TaskRuns
from dass_ray.records import TeacherCard
from dass_ray.space import Space, Spec
from dass_ray.store.base import Store

FEWEST = 3  # students of a task, below which a rank correlation says nothing


def task_runs(store: Store, datasets: Sequence[str], space: Space) -> list[TaskRuns]:
    """All finished runs of the tasks on these data sets, by teacher and recipe; seeds averaged.

    Accuracies are those of the validation split after the last epoch; diverged runs are left out.
    UserError where a data set has fewer than three students of this space.
    """
    table = ledger.read(store)
    table = table.filter(pc.and_(pc.equal(table["status"], "ok"), pc.is_valid(table["validation"])))
    out = []
    for name in datasets:
        found = _of_dataset(store, table, name.replace(":", "-"), space)
        if not found:
            raise UserError(
                f"{store.uri} has fewer than {FEWEST} finished runs of {name!r} in the space "
                f"{space.name!r}: run `dass-ray collect` with it first"
            )
        out += found
    return out


def _of_dataset(store: Store, table: pa.Table, name: str, space: Space) -> list[TaskRuns]:
    mine = table.filter(pc.equal(table["dataset"], name))
    groups = mine.group_by(["teacher", "recipe"]).aggregate([]).to_pylist()
    out = []
    for group in sorted(groups, key=lambda g: (g["teacher"], g["recipe"])):
        of_group = pc.and_(
            pc.equal(mine["teacher"], group["teacher"]), pc.equal(mine["recipe"], group["recipe"])
        )
        card = find_card(store, group["teacher"])
        assert card is not None  # a run's row is written after its teacher's card
        runs = mine.filter(of_group)
        if card.space == space and pc.count_distinct(runs["spec"]).as_py() >= FEWEST:
            out.append(_task(store, card, runs))
    return out


def _task(store: Store, card: TeacherCard, runs: pa.Table) -> TaskRuns:
    means = runs.group_by("spec").aggregate([("validation", "mean")]).sort_by("spec")
    specs = card.space.pack([Spec.parse(text) for text in means["spec"].to_pylist()])
    teacher = load_net(store, card)
    recipe = hashlib.sha256(runs["recipe"][0].as_py().encode()).hexdigest()
    return TaskRuns(
        f"{card.dataset}/{card.id[:8]}/{recipe[:4]}",
        encode_task(teacher, card.validation),
        encode_students(teacher, specs),
        torch.tensor(means["validation_mean"].to_pylist()),
        cost(card.space, specs, len(card.classes)),
    )
