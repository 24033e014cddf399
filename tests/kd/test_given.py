import json
import sys

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from dass_ray.errors import UserError
from dass_ray.kd import given
from dass_ray.kd.given import read, read_weights

CLASSES = ("cat", "dog")


@pytest.fixture
def state():
    torch.manual_seed(0)
    return nn.Linear(3, 2).state_dict()


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize(
    "wrap", [dict, lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}]
)
def test_files_of_torch_save(tmp_path, state, wrap):
    torch.save(wrap(state), tmp_path / "w.pt")
    assert same(read_weights(tmp_path / "w.pt"), state)


def test_the_prefix_of_data_parallel_is_dropped(tmp_path, state):
    save_file(
        {f"module.{name}": value for name, value in state.items()}, tmp_path / "w.safetensors"
    )
    assert same(read(str(tmp_path / "w.safetensors"), None, CLASSES).state, state)


class Evil:
    def __reduce__(self):
        return (sys.exit, (1,))


@pytest.mark.parametrize("content", [Evil(), nn.Linear(3, 2), [1, 2], {"a": 1}])
def test_a_pickle_with_more_than_tensors_is_not_run(tmp_path, content):
    torch.save(content, tmp_path / "w.pt")
    with pytest.raises(UserError, match="holds more than a state dict: write it with"):
        read_weights(tmp_path / "w.pt")


def write_model(folder, labels, state, **image):
    folder.mkdir()
    config = {
        "model_type": "resnet", "depths": [1, 1], "transformers_version": "5",
        "id2label": {str(i): label for i, label in enumerate(labels)},
    }  # fmt: skip
    (folder / "config.json").write_text(json.dumps(config))
    save_file(state, folder / "model.safetensors")
    if image:
        (folder / "preprocessor_config.json").write_text(json.dumps(image))
    return str(folder)


@pytest.mark.parametrize(
    ("labels", "outputs"),
    [
        (("cat", "dog"), None),
        (("Dog", "Cat"), (1, 0)),
        (("eel", "dog", "cat"), (2, 1)),
        (("LABEL_0", "LABEL_1"), None),
    ],
)
def test_a_folder_of_transformers(tmp_path, state, labels, outputs):
    image = {"size": {"shortest_edge": 24}, "image_mean": [0.5] * 3, "image_std": [0.2] * 3}
    found = read(write_model(tmp_path / "m", labels, state, **image), None, CLASSES)
    assert found.network.source == "transformers:resnet"
    assert found.network.arguments == {"depths": [1, 1], "num_labels": len(labels)}
    assert found.network.outputs == outputs
    assert (found.network.image_size, found.network.mean) == (24, (0.5,) * 3)
    assert same(found.state, state)


def test_settings_go_before_what_the_folder_says(tmp_path, state):
    found = read(write_model(tmp_path / "m", CLASSES, state), None, CLASSES)
    assert found.network.image_size is None
    assert found.changed({"image_size": 32}).image_size == 32
    with pytest.raises(UserError, match="did you mean 'image_size'"):
        found.changed({"imagesize": 32})


def test_a_processor_that_does_not_normalise(tmp_path, state):
    image = {"image_mean": [0.5] * 3, "image_std": [0.2] * 3, "do_normalize": False}
    found = read(write_model(tmp_path / "m", CLASSES, state, **image), None, CLASSES)
    assert (found.network.mean, found.network.std) == ((0, 0, 0), (1, 1, 1))


def test_a_network_by_name(tmp_path, state):
    save_file(state, tmp_path / "w.safetensors")
    found = read("mine.nets:Net", tmp_path / "w.safetensors", CLASSES)
    assert (found.network.source, same(found.state, state)) == ("mine.nets:Net", True)


def test_a_model_of_the_hub_is_a_folder(tmp_path, state, monkeypatch):
    folder = write_model(tmp_path / "m", CLASSES, state)
    monkeypatch.setattr("huggingface_hub.snapshot_download", lambda _name, **_files: folder)
    assert same(read("hf:some/model", None, CLASSES).state, state)


def lost(*_args, **_options):
    raise ConnectionError("a long story\nof many lines")


def test_what_is_no_teacher(tmp_path, state, monkeypatch):
    monkeypatch.setattr("huggingface_hub.snapshot_download", lost)
    (tmp_path / "empty").mkdir()
    (tmp_path / "w.safetensors").write_bytes(b"nonsense")
    (tmp_path / "w.pt").write_bytes(b"nonsense")
    save_file(state, tmp_path / "good.safetensors")
    messages = {
        str(tmp_path / "none"): "there is no .*: give a file of weights, a folder that",
        str(tmp_path / "empty"): "has no config.json: save the model there with `save_pretrained`",
        str(tmp_path / "w.safetensors"): "is not a readable safetensors file",
        str(tmp_path / "w.pt"): "holds more than a state dict",
        "timm:resnet18": "has no weights yet: give them with --weights FILE, or train it with",
        "hf:some/model": "cannot fetch 'some/model' from the hub .ConnectionError.: check the name",
    }
    for source, message in messages.items():
        with pytest.raises(UserError, match=message) as caught:
            read(source, None, CLASSES)
        assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=r"cannot read .*: No such file"):
        read("timm:resnet18", tmp_path / "none.safetensors", CLASSES)
    with pytest.raises(UserError, match="name the network, and give the file with --weights"):
        read(str(tmp_path / "good.safetensors"), None, CLASSES).changed({"image_size": 32})


def test_a_hub_without_its_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"`pip install .dass-ray.transformers..`"):
        given.read("hf:some/model", None, CLASSES)
