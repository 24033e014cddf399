import sys
from types import ModuleType

import pytest
import torch
from torch import nn

from dass_ray.config import TeacherConfig
from dass_ray.errors import UserError
from dass_ray.kd import foreign as module
from dass_ray.kd.foreign import ForeignNet, completed, flops, foreign, seen_by
from dass_ray.network import Network

from .. import make_task
from .make_foreign import NETWORK, SOURCE, Tiles

RESNET = {"embedding_size": 4, "hidden_sizes": [4, 8], "depths": [1, 1], "layer_type": "basic"}


def changed(**fields):
    return NETWORK.model_copy(update=fields)


def test_a_module_by_import_path():
    net = foreign(NETWORK, 3, seed=1)
    assert isinstance(net.module, Tiles)
    assert torch.equal(net.module.head.weight, foreign(NETWORK, 3, seed=1).module.head.weight)
    assert not torch.equal(net.module.head.weight, foreign(NETWORK, 3).module.head.weight)
    assert foreign(changed(source="tests.kd.make_foreign:tiles"), 3)(
        torch.zeros(1, 3, 12, 12)
    ).shape


def test_a_source_that_is_no_name():
    with pytest.raises(
        UserError, match=r"network.source: .*name it as in transformers:resnet, timm"
    ):
        TeacherConfig.parse({"dataset": "d", "network": {"source": "resnet"}}, "the settings")


def test_fresh_weights_leave_the_random_state_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    foreign(NETWORK, 3, seed=1)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("side", [8, 12, 24])
def test_images_of_any_size_become_the_network_s(side):
    net, images = foreign(NETWORK, 3).eval(), torch.randn(5, 3, side, side)
    own = nn.functional.interpolate(images, 12, mode="bilinear", antialias=side > 12)
    assert torch.allclose(net(images), net.module(own), atol=1e-5)


def test_a_few_images_at_a_time_change_nothing(monkeypatch):
    net, images = foreign(NETWORK, 3).eval(), torch.randn(7, 3, 12, 12)
    whole = net(images)
    monkeypatch.setattr(module, "PIXELS", 2 * 12**2)
    assert torch.allclose(net(images), whole, atol=1e-6)


def test_outputs_choose_classes():
    net = foreign(changed(arguments={"classes": 9}, outputs=(8, 0, 4)), 3).eval()
    images = torch.randn(2, 3, 12, 12)
    assert torch.equal(net(images), net.module(images)[:, [8, 0, 4]])


def test_transformers_from_its_configuration():
    network = Network(source="transformers:resnet", arguments=RESNET, image_size=16)
    net = foreign(network, 3).eval()
    images = torch.randn(2, 3, 16, 16)
    assert torch.equal(net(images), net.module(images).logits)
    conv1 = 2 * 8 * 8 * 4 * 3 * 49  # the stem: 7x7 with stride 2
    assert flops(net) > conv1
    assert flops(ForeignNet(nn.Sequential(nn.Flatten(), nn.Linear(3 * 64, 5)), 8)) == 2 * 3 * 64 * 5


def test_what_is_open_comes_from_the_data_set():
    data = make_task.dataset(size=8)
    network = completed(Network(source=SOURCE), data)
    assert network.image_size == 8
    assert network.mean == tuple(data.mean.tolist())
    assert completed(NETWORK, data) == NETWORK


def test_a_data_set_as_a_network_sees_it():
    small, large = make_task.dataset(size=8), make_task.dataset(size=24)
    assert seen_by(NETWORK, small).image_size == 8  # the network enlarges batch by batch
    assert seen_by(NETWORK, large).image_size == 12
    assert torch.equal(seen_by(NETWORK, large).train.images, large.resized(12).train.images)
    assert seen_by(NETWORK, small).mean.tolist() == [0.5, 0.5, 0.5]
    assert small.mean.tolist() != [0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"source": "nowhere:Net"}, "there is no Python module 'nowhere': .* set PYTHONPATH"),
        ({"source": "torch.nn:Linaer"}, "'torch.nn' has no 'Linaer'; check the spelling"),
        ({"source": "os:system", "arguments": {"command": "exit 1"}}, "write `-> torch.nn.Module`"),
        ({"source": "tests.kd.make_foreign:unsaid"}, "not annotated to return one"),
        ({"arguments": {"clases": 3}}, "cannot be built: TypeError: .*'clases'; check the name"),
        ({"arguments": {"classes": 4}}, "gives 4 logits, the data set has 3 classes: choose"),
        (
            {"image_size": 8},
            "does not take images of 8 px .ValueError: 8 px, not 12.: set network.",
        ),
        ({"source": "transformers:resnte"}, "of the type 'resnte'; did you mean resnet or"),
        ({"source": "transformers:bert"}, "no image classifier of the type 'bert'"),
        ({"source": "transformers:resnet", "arguments": {"depths": 3}}, "cannot be built: "),
    ],
)
def test_what_cannot_be_a_teacher(fields, message):
    with pytest.raises(UserError, match=message) as caught:
        foreign(changed(**{"arguments": {"classes": 3}} | fields), 3)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("library", ["timm", "torchvision", "transformers"])
def test_a_library_that_is_missing(library, monkeypatch):
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UserError, match=f"{library} is not installed: `pip install"):
        foreign(changed(source=f"{library}:resnet18"), 3)


def test_a_library_that_cannot_be_imported(tmp_path, monkeypatch):
    """As timm beside a torchvision that was built for another torch."""
    (tmp_path / "timm.py").write_text(
        "raise RuntimeError('operator torchvision::nms is not there')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    with pytest.raises(UserError, match=r"torchvision::nms.*: install the torchvision built for"):
        foreign(changed(source="timm:resnet18"), 3)


def test_timm_and_torchvision_are_asked_for_fresh_weights(monkeypatch):
    """Neither can be imported beside the torch that is tested here, so that both are stand-ins."""
    asked = []

    def make(name, **arguments):
        asked.append((name, arguments))
        return Tiles(arguments["num_classes"])

    timm, torchvision = ModuleType("timm"), ModuleType("torchvision")
    timm.create_model, torchvision.models = make, ModuleType("models")
    torchvision.models.get_model = make
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setitem(sys.modules, "torchvision", torchvision)
    for library in ("timm", "torchvision"):
        foreign(changed(source=f"{library}:some_net", arguments={"drop_rate": 0.1}), 3)
    both = {"num_classes": 3, "drop_rate": 0.1}
    assert asked == [
        ("some_net", both | {"pretrained": False, "checkpoint_path": ""}),
        ("some_net", both | {"weights": None}),
    ]
