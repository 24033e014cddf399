import importlib.util
import json
import os

import pytest
import torch
import yaml

from dass_ray import searches
from dass_ray.config import SearchConfig
from dass_ray.data.dataset import load_dataset
from dass_ray.errors import UserError
from dass_ray.export import export, onnx_files
from dass_ray.export.card import Accuracy, StudentCard
from dass_ray.export.config import ExportConfig
from dass_ray.kd.train import accuracy
from dass_ray.models.resnet import ResNet
from dass_ray.models.weights import from_bytes, load_into
from dass_ray.space import Spec

from ..make import CLASSES, KD, TINY
from .make import FIRST, SECOND, without_latencies

FILES = ["README.md", "card.json", "load_student.py", "search.yaml", "student.pt2"]
FILES = [*FILES, "student.safetensors"]
ONNX = ["student-int8.onnx", "student.onnx"]
PLAIN = ExportConfig(onnx=False)


def test_the_folder_holds_every_form(exported):
    store, card, out = exported
    assert sorted(os.listdir(out)) == sorted([*FILES, *ONNX])
    assert os.listdir(out.parent) == ["best"]
    assert StudentCard.model_validate_json((out / "card.json").read_text()) == card
    weights = store.get(f"students/{card.run}.safetensors")
    assert (out / "student.safetensors").read_bytes() == weights


def test_the_card_tells_all(exported):
    store, card, out = exported
    data = load_dataset(store, "tinges")
    teacher = searches.card(store, "mine").teacher
    assert (card.spec, card.search, card.seed) == (str(SECOND), "mine", 1)
    assert (card.dataset, card.dataset_fingerprint) == ("tinges", data.card.fingerprint)
    assert card.dataset_source == "made by a test"
    assert (card.teacher, card.teacher_fingerprint) == (teacher.id, teacher.fingerprint)
    assert card.teacher_accuracy == Accuracy(validation=teacher.validation, test=teacher.test)
    assert (card.classes, card.image_size, card.space, card.recipe) == (CLASSES, 8, TINY, KD)
    assert (card.params, card.flops) == (11, 22)
    assert (card.predicted.accuracy, card.predicted.latency_ms) == (0.5, 2.5)
    assert card.verified.validation == 0.85
    assert card.verified.test == pytest.approx(0.8)
    assert (card.verified_mean.validation, card.runs) == (pytest.approx(0.775), 2)
    small = data.resized(8)
    assert card.mean == pytest.approx(small.mean.tolist())
    assert card.std == pytest.approx(small.std.tolist())
    assert card.std != pytest.approx(data.std.tolist())  # of the images as they were stored
    assert (card.licence, card.data_licence, card.threads) == ("mit", "unknown", 2)
    assert set(card.versions) == {
        "dass_ray", "python", "torch", "onnx", "onnxscript", "onnxruntime",
    }  # fmt: skip
    assert json.loads((out / "card.json").read_text())["spec"] == str(SECOND)


def test_every_form_is_measured_from_its_file(exported):
    store, card, out = exported
    data = load_dataset(store, "tinges").resized(8)
    right = accuracy(network(store, card), data, data.test)
    assert [form.name for form in card.formats] == ["PyTorch", "torch.export", "ONNX", "ONNX int8"]
    for form in card.formats:
        assert form.bytes == (out / form.file).stat().st_size
        assert [time.batch for time in form.timings] == [1, 32]
        assert all(time.ms > 0 for time in form.timings)
        if form.name != "ONNX int8":
            assert form.accuracy.test == pytest.approx(right)
    plain, program, full, rough = (form.parity for form in card.formats)
    assert plain == ()
    assert all(parity.max_difference < 1e-4 for parity in (*program, *full))
    assert all(parity.max_difference > 1e-4 for parity in rough)


def test_the_commands_repeat_it(exported, filled):
    _, card, out = exported
    assert card.commands == (
        "dass-ray data import tinges SOURCE --size 10",
        "dass-ray latency measure abacus --space SPACE --classes 3 --batch 1 --threads 1 "
        "--students 24 --seed 0",
        "dass-ray search --config search.yaml",
        "dass-ray export --spec 4-4/8",
    )
    raw = yaml.safe_load((out / "search.yaml").read_text())
    assert not {"store", "address", "resources", "track"} & set(raw)
    assert SearchConfig.parse(raw, "it") == searches.card(filled, "mine").config


def network(store, card):
    """The distilled student itself."""
    net = ResNet(TINY, Spec.parse(card.spec), 3).eval()
    load_into(net, from_bytes(store.get(f"students/{card.run}.safetensors"), ""), "")
    return net


@pytest.mark.parametrize("batch", [1, 5])
@torch.no_grad()
def test_the_program_equals_the_network(exported, batch):
    store, card, out = exported
    program = torch.export.load(out / "student.pt2").module()
    net = network(store, card)
    images = torch.rand(batch, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(values)[:, None, None] for values in (card.mean, card.std))
    expected = net((images - mean) / std)
    assert program(images).shape == (batch, 3)
    assert torch.allclose(program(images), expected, atol=1e-5)
    assert expected.std() > 0.01


def test_without_onnx_and_without_latencies(store, tmp_path, monkeypatch):
    without_latencies(store)
    real = importlib.util.find_spec
    gone = [None]
    monkeypatch.setattr(onnx_files, "find_spec", lambda name: None if name in gone else real(name))
    card = export(store, "mine", tmp_path / "asked", PLAIN)
    assert sorted(os.listdir(tmp_path / "asked")) == sorted(FILES)
    assert card.onnx_input == ""
    assert card.predicted.latency_ms is None
    assert not any("latency" in command for command in card.commands)
    gone.append("onnx")
    card = export(store, "mine", tmp_path / "missing", ExportConfig(spec=str(FIRST)))
    assert (card.spec, len(card.formats)) == (str(FIRST), 2)
    assert "onnx" not in card.versions
    with pytest.raises(UserError, match="ONNX needs onnx: pip install"):
        export(store, "mine", tmp_path / "none", ExportConfig(onnx=True))
    assert sorted(os.listdir(tmp_path)) == ["asked", "missing"]


def test_what_there_is_not(store, tmp_path):
    with pytest.raises(UserError, match=r"no search 'yours' in .*; known: mine"):
        export(store, "yours", tmp_path / "out")
    for path in store.list("students"):
        store.delete(path)
    with pytest.raises(UserError, match="the run of 4-4/8 was not made by a search"):
        export(store, "mine", tmp_path / "out")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("make", [lambda out: out.mkdir(), lambda out: out.write_text("mine")])
def test_nothing_is_overwritten(store, tmp_path, make):
    make(tmp_path / "out")
    with pytest.raises(UserError, match="out exists: choose another --out"):
        export(store, "mine", tmp_path / "out", PLAIN)
    assert os.listdir(tmp_path) == ["out"]
    assert (tmp_path / "out").is_dir() or (tmp_path / "out").read_text() == "mine"


def test_a_program_that_is_off_is_not_written(store, tmp_path, monkeypatch):
    def save(program, path):
        bias = program.state_dict["net.head.bias"]
        program.state_dict["net.head.bias"] = torch.nn.Parameter(bias + 1, requires_grad=False)
        real(program, path)

    real = torch.export.save
    monkeypatch.setattr(torch.export, "save", save)
    with pytest.raises(UserError, match=r"torch\.export differs from the network by 1 in a logit"):
        export(store, "mine", tmp_path / "out", PLAIN)
    assert os.listdir(tmp_path) == []
