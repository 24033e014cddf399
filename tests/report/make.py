"""Searches in a store as the program leaves them, with made-up accuracies."""

import numpy as np
import pyarrow as pa
import torch

from dass_ray import ledger, searches
from dass_ray.config import SearchConfig
from dass_ray.cost import cost
from dass_ray.data.dataset import Split, write_dataset
from dass_ray.limits import Limits
from dass_ray.network import Network
from dass_ray.recipe import DISTILL, TEACHERS
from dass_ray.records import Foreign, Proxy, RunRow, TeacherCard
from dass_ray.searches import Choice, Finished, Round, SearchCard
from dass_ray.space import MICRO
from dass_ray.verify import runs

ID = "leaves-1a2b3c"
CLASSES = ("oak", "birch", "<script>alert(1)</script>")


def dataset(store, name="leaves", classes=CLASSES, source="tiny random images"):
    rng = np.random.default_rng(0)

    def split(count):
        images = rng.integers(0, 256, (count, 3, 4, 4), dtype=np.uint8)
        return Split(torch.from_numpy(images), torch.arange(count) % len(classes))

    splits = {"train": split(9), "validation": split(6), "test": split(3)}
    return write_dataset(store, name, splits, classes, source)


def card(
    store,
    *,
    data=None,
    space=MICRO,
    candidates=8,
    batch=4,
    limits=None,
    seeds=(0,),
    rounds=1,
    several=False,
    **config,
):
    """Writes the data set and the card of a search with the id ID; returns the card."""
    data = data or dataset(store)
    teacher = TeacherCard(
        id="t1", dataset=data.name, dataset_fingerprint=data.fingerprint, classes=data.classes,
        space=space, recipe=TEACHERS["micro"], seed=0, fingerprint="f" * 64, validation=0.9,
        test=0.88, near_chance=False, curve=(0.5, 0.9), seconds=12.0, code_version="0.1.0",
    )  # fmt: skip
    settings = SearchConfig(
        dataset=data.name, store=store.uri, space=space, candidates=candidates, batch=batch,
        limits=limits or Limits(), verify={"seeds": seeds, "rounds": rounds}, **config,
    )  # fmt: skip
    found = SearchCard(
        id=ID, config=settings, teacher=teacher, predictor="shipped abc123",
        started_at=1_770_000_000.0, code_version="0.1.0",
        others=(foreign(teacher),) if several else (),
    )  # fmt: skip
    return searches.write_object(store, found, f"searches/{ID}/card.json")


def foreign(teacher):
    """The teacher t2, of transformers, in place of another one."""
    network = Network(source="transformers:resnet", image_size=32)
    proxy = Proxy(fingerprint="p", validation=0.81, test=0.8, curve=(), seconds=1)
    found = Foreign(network=network, weights="w", params=10**7, flops=10**9, proxy=proxy)
    facts = {"id": "t2", "fingerprint": "e" * 64, "validation": 0.95, "foreign": found}
    return teacher.model_copy(update=facts)


def scored(card, specs, predicted, uncertainty=0.01, number=1):
    """A table of BATCH_SCHEMA for specs with these predictions, in a round."""
    costs = cost(card.teacher.space, card.teacher.space.pack(specs), len(card.teacher.classes))
    rows = {
        "spec": [str(spec) for spec in specs],
        "predicted": np.asarray(predicted, dtype=float),
        "uncertainty": np.full(len(specs), uncertainty),
        "params": costs.params,
        "flops": costs.flops,
        "latency": pa.nulls(len(specs), pa.float64()),
        "feasible": card.config.limits.met(costs),
        "round": np.full(len(specs), number),
    }
    return pa.table(rows, schema=searches.BATCH_SCHEMA)


def choose(store, card, roles, predicted, seed=0, number=1, teachers=None):
    """Chooses one random student for each role in a round; returns the choices.

    teachers: as a Choice names them, one for each role.
    """
    teachers = teachers or (None,) * len(roles)
    specs = card.teacher.space.unpack(
        card.teacher.space.sample(len(roles), np.random.default_rng(seed))
    )
    columns = scored(card, specs, predicted)
    students = tuple(
        Choice(
            spec=str(spec), role=role, round=number, predicted=predicted[i], uncertainty=0.01,
            params=columns["params"][i].as_py(), flops=columns["flops"][i].as_py(),
            keys=tuple(run.key for run in runs(card, str(spec), teachers[i])),
            teacher=teachers[i],
        )
        for i, (spec, role) in enumerate(zip(specs, roles, strict=True))
    )  # fmt: skip
    return searches.write_round(store, ID, number, Round(students=students, candidates=8)).students


def distil(store, card, choice, *, validation, test, seed=0, status="ok", epochs=6, seconds=2.0):
    """Commits the row of one run; its curve rises to the validation accuracy."""
    ok, teacher = status == "ok", card.named(choice.teacher)
    rise = 1 - np.exp(-np.arange(1, epochs + 1) / 2)
    curve = (validation * rise / rise[-1]).tolist() if validation is not None else [0.2]
    row = RunRow(
        key=choice.keys[card.config.verify.seeds.index(seed)], status=status,
        error="" if ok else "the loss stopped being finite in epoch 2", dataset=teacher.dataset,
        dataset_fingerprint=teacher.dataset_fingerprint, teacher=teacher.id,
        teacher_fingerprint=teacher.fingerprint, teacher_validation=teacher.validation,
        teacher_test=teacher.test, classes=len(teacher.classes),
        space=teacher.space.model_dump_json(), spec=choice.spec, params=choice.params,
        flops=choice.flops, recipe=DISTILL["micro"].model_dump_json(), seed=seed,
        validation=validation if ok else None, validation_best=validation if ok else None,
        test=test if ok else None, curve=curve, seconds=seconds, device="cpu", host="node-1",
        started_at=0.0, attempt="a", code_version="0.1.0",
    )  # fmt: skip
    ledger.commit(store, [row])
    return row


def finish(store):
    record = Finished(finished_at=1_770_000_060.0, seconds={"search": 12.5, "verify": 40.0})
    searches.write_finished(store, searches.card(store, ID), record)
