import hashlib

import numpy as np
import pytest
import torch
from torch import nn

from dass_ray.errors import UserError
from dass_ray.models.weights import fingerprint, from_bytes, load_into, to_bytes


def state():
    generator = torch.Generator().manual_seed(0)
    return {
        "a": torch.randn(3, 4, generator=generator),
        "b": torch.arange(6),
        "half": torch.tensor([1.5, -2.0], dtype=torch.float16),
        "one": torch.tensor(7),
        "none": torch.empty(0, 3),
    }


def same(a, b):
    return a.keys() == b.keys() and all(
        torch.equal(a[name], b[name]) and a[name].dtype == b[name].dtype for name in a
    )


def test_round_trip():
    assert same(from_bytes(to_bytes(state()), "x"), state())


def test_round_trip_of_views_and_parameters():
    whole = torch.arange(12.0).reshape(3, 4)
    views = {"turned": whole.T, "some": whole[:, 1], "p": nn.Parameter(whole.clone())}
    found = from_bytes(to_bytes(views), "x")
    assert same(found, {name: value.detach() for name, value in views.items()})
    assert not found["p"].requires_grad


@pytest.mark.parametrize("data", [b"", b"nonsense", b"\xff" * 100, to_bytes(state())[:-3]])
def test_other_bytes_are_an_error_that_names_the_place(data):
    with pytest.raises(UserError, match=r"my\.safetensors is not a readable safetensors file"):
        from_bytes(data, "my.safetensors")


def test_fingerprint_is_that_of_the_content():
    first = fingerprint(state())
    assert first == fingerprint(dict(reversed(state().items())))
    assert first == fingerprint(from_bytes(to_bytes(state()), "x"))
    turned = {"a": state()["a"].T.contiguous().T}  # the same values, otherwise in memory
    assert fingerprint(turned) == fingerprint({"a": state()["a"]})


def test_fingerprint_by_hand():
    """It enters the key of every run: if it changes, every store loses its runs."""
    values = np.arange(6, dtype="<f4").tobytes()
    data = b"n()torch.int64" + (3).to_bytes(8, "little") + b"w(2, 3)torch.float32" + values
    some = {"w": torch.arange(6.0).reshape(2, 3), "n": torch.tensor(3)}
    assert fingerprint(some) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    "change",
    [
        {"a": state()["a"] + 1e-6},
        {"a": state()["a"].reshape(4, 3)},
        {"b": torch.arange(6, dtype=torch.int32)},
        {"one": torch.tensor([7])},
        {"none": torch.empty(3, 0)},
        {"more": torch.tensor(0)},
    ],
)
def test_fingerprint_sees_every_change(change):
    assert fingerprint(state() | change) != fingerprint(state())


def test_fingerprint_sees_names():
    some = state()
    assert fingerprint({"x": some["a"]}) != fingerprint({"y": some["a"]})


def net():
    return nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))


def test_load_into():
    source, target = net(), net()
    load_into(target, source.state_dict(), "x")
    assert same(target.state_dict(), source.state_dict())
    with torch.no_grad():
        target[0].weight.zero_()
    assert source[0].weight.abs().max() > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"0.weight": torch.zeros(4, 5)}, r"'0\.weight' has shape \(4, 5\), needed is \(4, 3\)"),
        ({"0.weight": None}, r"'0\.weight' has shape none, needed is \(4, 3\)"),
        ({"2.weight": torch.zeros(2)}, r"'2\.weight' has shape \(2,\), needed is none"),
    ],
)
def test_weights_that_do_not_fit(change, message):
    target = net()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    given = net().state_dict() | change
    with pytest.raises(UserError, match=f"my file does not fit this network: tensor {message}"):
        load_into(target, {k: v for k, v in given.items() if v is not None}, "my file")
    assert same(target.state_dict(), before)
