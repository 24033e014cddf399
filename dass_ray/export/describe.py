"""Making a student's card of what the store holds and what was measured."""

import platform
from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

import torch

from dass_ray import __version__, latencies
from dass_ray.config import ELSEWHERE
from dass_ray.data.card import DatasetCard
from dass_ray.data.dataset import Dataset
from dass_ray.data.naming import is_built_in
from dass_ray.export.card import Accuracy, FormatCard, Prediction, StudentCard
from dass_ray.export.chosen import Chosen
from dass_ray.export.config import ExportConfig
from dass_ray.export.onnx_files import PACKAGES
from dass_ray.models.latency import device_name
from dass_ray.recipe import KDRecipe
from dass_ray.records import RunRow, TeacherCard
from dass_ray.report.students import Student
from dass_ray.searches import SearchCard
from dass_ray.space import PRESETS
from dass_ray.store.base import Store


def describe(
    store: Store,
    card: SearchCard,
    chosen: Chosen,
    data: Dataset,
    forms: Sequence[FormatCard],
    config: ExportConfig,
) -> StudentCard:
    """The card of a student of a search; data: as its network sees it."""
    run, student = chosen.run, chosen.student
    teacher = card.named(student.choice.teacher)
    with_onnx = any(form.file.endswith(".onnx") for form in forms)
    return StudentCard(
        spec=run.spec,
        run=run.key,
        search=card.id,
        dataset=run.dataset,
        dataset_source=data.card.source,
        dataset_fingerprint=run.dataset_fingerprint,
        teacher=teacher.id,
        teacher_fingerprint=run.teacher_fingerprint,
        teacher_accuracy=Accuracy(validation=teacher.validation, test=teacher.test),
        space=teacher.space,
        recipe=KDRecipe.model_validate_json(run.recipe),
        seed=run.seed,
        classes=teacher.classes,
        image_size=data.image_size,
        mean=tuple(data.mean.tolist()),
        std=tuple(data.std.tolist()),
        onnx_input=_onnx_input(config, data.image_size) if with_onnx else "",
        params=run.params,
        flops=run.flops,
        predicted=_predicted(card, chosen),
        verified=_accuracy(run),
        verified_mean=_accuracy(student),
        runs=sum(row.status == "ok" for row in student.rows),
        formats=tuple(forms),
        device=device_name(torch.device("cpu")),
        threads=config.threads,
        licence=config.licence,
        data_licence=config.data_licence,
        commands=_commands(store, card, data.card, chosen, config),
        versions=_versions(with_onnx),
    )


def _accuracy(done: RunRow | Student) -> Accuracy:
    assert done.validation is not None, done  # only what ended well is chosen
    assert done.test is not None, done
    return Accuracy(validation=done.validation, test=done.test)


def _onnx_input(config: ExportConfig, side: int) -> str:
    if config.pixels:
        return f"images: uint8 [batch, {side}, {side}, 3], RGB"
    return f"images: float32 [batch, 3, {side}, {side}], RGB in [0, 1]"


def _predicted(card: SearchCard, chosen: Chosen) -> Prediction:
    choice = chosen.student.choice
    return Prediction(
        accuracy=choice.predicted,
        uncertainty=choice.uncertainty,
        predictor=card.predictor,
        latency_ms=choice.latency,
        latency_table=card.config.latency,
    )


def _versions(with_onnx: bool) -> dict[str, str]:
    found = {"dass_ray": __version__, "python": platform.python_version()}
    found["torch"] = torch.__version__
    return found | {name: version(name) for name in PACKAGES if with_onnx}


def repeated(card: SearchCard) -> dict[str, Any]:
    """The search's settings, without where it ran."""
    return card.config.model_dump(mode="json", exclude=ELSEWHERE)


def _commands(
    store: Store, card: SearchCard, data: DatasetCard, chosen: Chosen, config: ExportConfig
) -> tuple[str, ...]:
    """From an empty store to this export; what only the user has is in capitals."""
    name, teacher, lines = card.config.dataset, card.named(chosen.student.choice.teacher), []
    if not is_built_in(name):
        lines.append(f"dass-ray data import {name} SOURCE --size {data.image_size}")
    lines += [
        f"dass-ray teacher import SOURCE -d {name} -s space={_space(one)}"
        for one in card.teachers
        if one.recipe is None
    ]
    if card.config.latency:
        lines.append(_measuring(store, card.config.latency))
    lines.append("dass-ray search --config search.yaml")
    options = f" --teacher {teacher.id}" if card.others else ""
    options += " --pixels" if config.pixels else ""
    return (*lines, f"dass-ray export --spec {chosen.run.spec}{options}")


def _space(teacher: TeacherCard) -> str:
    """The setting of a teacher's space."""
    space = teacher.space
    return space.name if PRESETS.get(space.name) == space else f"'{space.model_dump_json()}'"


def _measuring(store: Store, name: str) -> str:
    table = latencies.load(store, name)
    space = table.space.name if table.space.name in PRESETS else "SPACE"
    return (
        f"dass-ray latency measure {name} --space {space} --classes {table.classes} "
        f"--batch {table.batch} --threads {table.threads} --students {table.students} "
        f"--seed {table.seed}"
    )
