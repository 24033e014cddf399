"""From a store to a file of recorded runs."""

import time
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from dass_ray import __version__, ledger
from dass_ray.config import RecordConfig
from dass_ray.errors import UserError
from dass_ray.evaluation.kept import kept
from dass_ray.evaluation.material import Material
from dass_ray.evaluation.rankings import Floats
from dass_ray.predictor import checkpoint
from dass_ray.predictor.checkpoint import PredictorCard
from dass_ray.predictor.model import Predictor
from dass_ray.predictor.tasks import TaskLedger, embed, task_ledgers
from dass_ray.recipe import KDRecipe
from dass_ray.replay.recorded import COLUMNS, SCORE, RecordCard, Recorded
from dass_ray.store.base import Store
from dass_ray.watch import Silent, Watcher
from dass_ray.zero_cost.catalogue import SCORES


def record(
    store: Store, config: RecordConfig, folder: Path, scores_in: Path, watcher: Watcher
) -> Recorded:
    """All finished runs of the tasks on these data sets, by the recipe that most students have.

    folder: for files that may go afterwards; scores_in: where zero-cost scores are taken from and
    left in, as in `evaluate`. UserError where a data set has no runs, or its recipe is another.
    """
    card, predictor = checkpoint.load(store, config.predictor, config.space)
    tasks = task_ledgers(store, config.datasets, config.space)
    if odd := [task.name for task in tasks if task.recipe != tasks[0].recipe]:
        raise UserError(f"{odd[0]} was distilled by another recipe than {tasks[0].name}")
    watcher.phase("scoring recorded students", len(tasks))
    parts = []
    for done, task in enumerate(tasks, 1):
        columns = _zero_cost(Material(store, task, config.space, config.images), scores_in)
        columns["predictor"] = _predicted(store, card, predictor, task, folder)
        parts.append(_rows(store, task, columns))
        watcher.step(done, task.name)
    head = RecordCard(
        name=config.name, space=config.space, recipe=tasks[0].recipe, scored_by=card.name,
        scores_images=config.images, code_version=__version__,
    )  # fmt: skip
    order = [(name, "ascending") for name in ("dataset", "teacher", "spec", "seed")]
    return Recorded(head, pa.concat_tables(parts).sort_by(order))


def _zero_cost(material: Material, scores_in: Path) -> dict[str, Floats]:
    compute = partial(material.zero_cost, Silent(), time.perf_counter)
    values, _ = kept(scores_in, material, compute)
    return {name: values[:, i] for i, name in enumerate(SCORES)}


def _predicted(
    store: Store, card: PredictorCard, predictor: Predictor, task: TaskLedger, folder: Path
) -> Floats:
    """[N]: NaN for a task that the predictor was made with, since that would be no prediction."""
    if task.name in {*card.runs, *card.validation}:
        return np.full(len(task.specs), np.nan)
    runs = embed(store, task, predictor.space, predictor.net.encodings, folder)
    found: Floats = predictor.adapted(runs.task).score(runs.students).mean.double().numpy()
    return found


def _rows(store: Store, task: TaskLedger, columns: dict[str, Floats]) -> pa.Table:
    where = [("teacher", "==", task.card.id), ("status", "==", "ok")]
    table = ledger.read(store, [*COLUMNS, "recipe"], where)
    mine = [KDRecipe.model_validate_json(r) == task.recipe for r in table["recipe"].to_pylist()]
    table = table.filter(pa.array(mine)).select(COLUMNS)
    specs = task.card.space.unpack(task.specs)
    place = {str(spec): i for i, spec in enumerate(specs)}
    row = np.array([place[spec] for spec in table["spec"].to_pylist()])
    for name, values in columns.items():
        table = table.append_column(f"{SCORE}{name}", pa.array(values[row]))
    return table
