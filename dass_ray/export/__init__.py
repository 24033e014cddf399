"""The student to ship: weights, programs, a card, and a loader that needs torch alone."""

import shutil
from collections.abc import Sequence
from pathlib import Path

import yaml

from dass_ray import searches
from dass_ray.data.dataset import Dataset, load_dataset
from dass_ray.errors import UserError
from dass_ray.export import load_student, onnx_files
from dass_ray.export.card import FormatCard, StudentCard
from dass_ray.export.chosen import Chosen, choose
from dass_ray.export.config import ExportConfig
from dass_ray.export.describe import describe, repeated
from dass_ray.export.folder import appearing
from dass_ray.export.formats import plain, program
from dass_ray.export.measured import measured
from dass_ray.export.parity import check, compare
from dass_ray.export.readme import render
from dass_ray.export.shippable import Shippable
from dass_ray.models.network import build
from dass_ray.models.weights import from_bytes, load_into
from dass_ray.searches import SearchCard
from dass_ray.space import Spec
from dass_ray.store.base import NotFound, Store
from dass_ray.watch import Silent, Watcher


def export(
    store: Store,
    search: str,
    out: Path,
    config: ExportConfig | None = None,
    watcher: Watcher | None = None,
) -> StudentCard:
    """Writes a verified student to a new folder, and returns its card.

        student.safetensors, student.pt2         weights; a torch.export program
        student.onnx, student-int8.onnx          with the extra `onnx`
        load_student.py                          a loader that needs torch alone
        card.json, README.md, search.yaml        what it is, and how to repeat it

    UserError where the search has no such student, the folder exists, or a written form does not
    give the network's logits; nothing is left then.
    """
    config, watcher = config or ExportConfig(), watcher or Silent()
    if config.onnx:
        onnx_files.require()
    if out.exists():
        raise UserError(f"{out} exists: choose another --out")
    card = searches.card(store, search)
    chosen = choose(store, card, config)
    weights = _weights(store, chosen)
    data = load_dataset(store, card.teacher.dataset).resized(card.teacher.space.image_size)
    with appearing(out) as folder:
        forms = _forms(
            _student(card, chosen, weights, data), weights, data, config, folder, watcher
        )
        student = describe(store, card, chosen, data, forms, config)
        shutil.copy(load_student.__file__, folder / "load_student.py")
        settings = yaml.safe_dump(repeated(card), sort_keys=False)
        (folder / "search.yaml").write_text(settings, encoding="utf-8")
        (folder / "card.json").write_text(student.model_dump_json(indent=1), encoding="utf-8")
        (folder / "README.md").write_text(render(student), encoding="utf-8")
    return student


def _weights(store: Store, chosen: Chosen) -> bytes:
    try:
        return store.get(_path(chosen))
    except NotFound:
        raise UserError(
            f"the run of {chosen.run.spec} was not made by a search, so its weights were not kept: "
            "the same `dass-ray search` again keeps them"
        ) from None


def _path(chosen: Chosen) -> str:
    return f"students/{chosen.run.key}.safetensors"


def _student(card: SearchCard, chosen: Chosen, weights: bytes, data: Dataset) -> Shippable:
    net = build(card.teacher.space, Spec.parse(chosen.run.spec), chosen.run.classes)
    load_into(net, from_bytes(weights, _path(chosen)), _path(chosen))
    shippable = Shippable(net, data.mean, data.std).eval()
    return shippable.requires_grad_(False)


def _forms(
    student: Shippable,
    weights: bytes,
    data: Dataset,
    config: ExportConfig,
    folder: Path,
    watcher: Watcher,
) -> Sequence[FormatCard]:
    """Writes every form, compares it with the network, and measures it."""
    with_onnx = onnx_files.available() if config.onnx is None else config.onnx
    side, images = data.image_size, data.validation.images
    watcher.phase("writing and checking", 4 if with_onnx else 2)
    network = plain(student, weights, folder)
    watcher.step(1, network.name)
    exported = program(student, side, folder)
    found = [(network, ()), (exported, check(exported, network, images))]
    watcher.step(2, exported.name)
    if with_onnx:
        float_file = onnx_files.float_file(student, side, folder, config)
        found.append((float_file, check(float_file, network, images)))
        watcher.step(3, float_file.name)
        int8_file = onnx_files.int8_file(float_file, data.train.images, config)
        found.append((int8_file, compare(int8_file, network, images)))
        watcher.step(4, int8_file.name)
    return measured(found, data, config.threads, watcher)
