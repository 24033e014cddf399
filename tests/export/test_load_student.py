"""The loader as a user has it: in a process of its own, where there is nothing but torch."""

import json
import os
import subprocess
import sys
from importlib.metadata import distribution

import numpy as np
import torch
from packaging.requirements import Requirement
from PIL import Image

from dass_ray.data.dataset import load_dataset
from dass_ray.data.decode import decode
from dass_ray.data.resize import resize
from dass_ray.export import load_student

ABSENT = """
import importlib.util
for name in ("dass_ray", "safetensors", "numpy", "onnx", "onnxruntime", "pyarrow", "ray"):
    assert importlib.util.find_spec(name) is None, name
"""
USE = """
import json, runpy, sys, torch
from load_student import Student
pixels = torch.load("pixels.pt")
print(json.dumps([Student().classify(pixels), Student().logits(pixels).tolist()]))
sys.argv = ["load_student.py", "wide.png", "wide.png"]
runpy.run_path("load_student.py", run_name="__main__")
"""


def link(package, folder):
    """Links a package and what it needs into a folder, as if pip had put it there alone."""
    found = distribution(package)
    for top in {file.parts[0] for file in found.files if file.parts[0] != ".."}:
        if not (folder / top).exists():
            (folder / top).symlink_to(found.locate_file(top))
    needs = map(Requirement, found.requires or [])
    for need in needs:
        if not need.marker or need.marker.evaluate({"extra": ""}):
            link(need.name, folder)


def alone(folder, code, site):
    """What the code prints in a process that sees the folder and the packages of `site`."""
    done = subprocess.run(
        [sys.executable, "-S", "-c", ABSENT + code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(site)},
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_with_torch_alone(exported, tmp_path):
    store, card, out = exported
    (folder := tmp_path / "elsewhere").mkdir()
    for name in ("load_student.py", "card.json", "student.pt2"):
        (folder / name).write_bytes((out / name).read_bytes())
    images = load_dataset(store, "tinges").test.images  # 10 px, the student sees 8
    torch.save(images, folder / "pixels.pt")
    wide = np.zeros((8, 14, 3), np.uint8)  # of which the square in the middle counts
    wide[:, 3:11] = images[0].permute(1, 2, 0)[:8, :8]
    Image.fromarray(wide).save(folder / "wide.png")
    (site := tmp_path / "site").mkdir()
    link("torch", site)
    link("pillow", site)  # for the command alone
    used, *told = alone(folder, USE, site).splitlines()

    program = torch.export.load(out / "student.pt2").module()
    expected = program(resize(images, 8) / 255)
    names, logits = json.loads(used)
    assert torch.allclose(torch.tensor(logits), expected, atol=1e-5)
    assert names == [card.classes[i] for i in expected.argmax(dim=1).tolist()]
    assert len(set(names)) == 3
    (index,) = program(images[:1, :, :8, :8] / 255).argmax(dim=1).tolist()
    assert told == [f"wide.png {card.classes[index]}"] * 2


def pictures():
    """Of every kind that needs more than `convert("RGB")`; 12 px wide, 8 high."""
    noise = np.random.default_rng(0).integers(0, 256, (8, 12, 4), dtype=np.uint8)
    deep = noise[..., 0].astype(np.uint16) * 257 + 100
    turned = Image.Exif()
    turned[0x112] = 6
    yield "plain.png", Image.fromarray(noise[..., :3]), {}
    yield "turned.png", Image.fromarray(noise[..., :3]), {"exif": turned}
    yield "clear.png", Image.fromarray(noise), {}
    yield "deep.png", Image.fromarray(np.minimum(deep, 65535).astype(np.uint16)), {}
    yield "float.tiff", Image.fromarray((noise[..., 0] / 255).astype(np.float32)), {}
    yield "palette.png", Image.fromarray(noise[..., :3]).quantize(16), {}


def test_a_picture_is_read_as_when_it_was_imported(tmp_path):
    for name, image, options in pictures():
        image.save(tmp_path / name, **options)
        found = load_student.read(str(tmp_path / name))
        side, cut = 8, found.shape[3] != 8
        middle = found[0, :, 0 if cut else 2 :, 2 if cut else 0 :][:, :side, :side]
        expected = decode((tmp_path / name).read_bytes(), side)
        assert middle.permute(1, 2, 0).tolist() == expected.tolist(), name


def test_its_code_is_short(exported):
    text = (exported[2] / "load_student.py").read_text().split('"""')[2]
    code = [line for line in text.splitlines() if line.strip() and '"""' not in line]
    assert len(code) <= 40
