"""ONNX files, run by ONNX Runtime without our code."""

import dataclasses
import importlib.util

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from dass_ray.data.dataset import load_dataset
from dass_ray.errors import UserError
from dass_ray.export import onnx_files
from dass_ray.export.config import ExportConfig
from dass_ray.export.shippable import Shippable

from .. import make_task


def logits(file, images):
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": images})[0]


@pytest.mark.parametrize("batch", [1, 32])
def test_the_files_give_the_students_logits(exported, batch):
    store, _, out = exported
    images = load_dataset(store, "tinges").resized(8).train.images[:batch] / 255
    expected = torch.export.load(out / "student.pt2").module()(images).numpy()
    found = logits(out / "student.onnx", images.numpy())
    assert np.abs(found - expected).max() < 1e-4
    rough = logits(out / "student-int8.onnx", images.numpy())
    assert 1e-4 < np.abs(rough - expected).max() < 0.5 * np.abs(expected).max()


def test_int8_is_int8(exported):
    graph = onnx.load(exported[2] / "student-int8.onnx").graph
    made_by = {output: node for node in graph.node for output in node.output}
    kinds = {one.name: one.data_type for one in graph.initializer}
    weights = [made_by[node.input[1]] for node in graph.node if node.op_type == "Conv"]
    assert {node.op_type for node in weights} == {"DequantizeLinear"}
    assert {kinds[node.input[0]] for node in weights} == {onnx.TensorProto.INT8}


def test_pixels_as_decoders_give_them(tmp_path):
    data = make_task.dataset()
    student = Shippable(make_task.teacher(), data.mean, data.std).eval()
    config = ExportConfig(pixels=True)
    form = onnx_files.float_file(student, 8, tmp_path, config)
    rough = onnx_files.int8_file(form, data.train.images, config)
    images = data.test.images
    expected = student(images / 255).detach()
    assert torch.allclose(form.logits(images), expected, atol=1e-4)
    raw = np.ascontiguousarray(images[:3].permute(0, 2, 3, 1).numpy())
    assert raw.shape == (3, 8, 8, 3)
    assert np.abs(logits(form.file, raw) - expected[:3].numpy()).max() < 1e-4
    assert logits(rough.file, raw).shape == (3, 3)


def test_int8_sees_images_from_everywhere(tmp_path, monkeypatch):
    """Not the first ones: image folders are read class by class."""
    data = make_task.dataset()
    student = Shippable(make_task.teacher(), data.mean, data.std).eval()
    config = ExportConfig(pixels=True)
    form = onnx_files.float_file(student, 8, tmp_path, config)
    seen = []
    watched = dataclasses.replace(
        form, prepare=lambda part: seen.append(part) or form.prepare(part)
    )
    images, monkeyed = data.train.images, len(data.train) // 4
    monkeypatch.setattr(onnx_files, "CALIBRATION", monkeyed)
    onnx_files.int8_file(watched, images, config)
    chosen = torch.cat(seen)
    assert len(chosen) == monkeyed
    later = {image.numpy().tobytes() for image in images[len(images) // 2 :]}
    assert sum(image.numpy().tobytes() in later for image in chosen) > monkeyed // 4


def test_without_the_extra(monkeypatch):
    assert onnx_files.available()
    onnx_files.require()
    real = importlib.util.find_spec
    monkeypatch.setattr(
        onnx_files, "find_spec", lambda name: None if name == "onnxscript" else real(name)
    )
    assert not onnx_files.available()
    with pytest.raises(UserError, match=r"ONNX needs onnxscript: pip install 'dass-ray\[onnx\]'"):
        onnx_files.require()
