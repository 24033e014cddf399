import pytest
import torch
import torch.nn.functional as F
from torch import nn

from dass_ray.predictor.layers import (
    attend,
    encode_maps,
    halved,
    linear,
    new_convolution,
    new_linear,
    patches,
    product,
    taps,
)

M, T, N = 2, 3, 4


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_layer_begins_as_in_pytorch():
    generator = torch.Generator().manual_seed(0)
    layer = new_linear(50, 400, generator)
    theirs = nn.Linear(50, 400)
    for ours, other in ((layer["weight"], theirs.weight.mT), (layer["bias"], theirs.bias)):
        assert ours.shape == other.shape
        assert ours.abs().max().item() == pytest.approx(1 / 50**0.5, rel=0.02)
        assert ours.abs().max() <= 1 / 50**0.5
    convolution = new_convolution(16, 8, (1, 2), generator)["weight"]
    assert convolution.shape == (2 * 16, 8)
    assert convolution.abs().max().item() == pytest.approx(1 / (9 * 16) ** 0.5, rel=0.02)


@pytest.mark.parametrize("shared", [False, True])
def test_linear_is_one_for_each_member_and_task(shared):
    x = drawn(T, N, 5) if shared else drawn(M, T, N, 5)
    params = {"a.weight": drawn(M, T, 5, 6, seed=1), "a.bias": drawn(M, T, 6, seed=2)}
    found = linear(params, "a", x)
    assert found.shape == (M, T, N, 6)
    for m in range(M):
        for t in range(T):
            mine = x[t] if shared else x[m, t]
            expected = F.linear(mine, params["a.weight"][m, t].mT, params["a.bias"][m, t])
            assert torch.allclose(found[m, t], expected, atol=1e-5)
    assert torch.allclose(product(x, params["a.weight"]), found - params["a.bias"][:, :, None],
                          atol=1e-5)  # fmt: skip


def kernel(weight, size, inputs):
    """The 3x3 kernel [O, I, 3, 3] of a convolution that is kept as a linear layer."""
    out = torch.zeros(weight.shape[-1], inputs, 3, 3)
    rows, columns = taps(size[0]), taps(size[1])
    parts = iter(weight.reshape(len(rows) * len(columns), inputs, -1))
    for i in rows:
        for j in columns:
            out[:, :, i, j] = next(parts).mT
    return out


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (3, 2), (4, 4), (5, 8)])
def test_patches_make_a_convolution(size):
    maps, weight = drawn(N, *size, 3), drawn(len(taps(size[0])) * len(taps(size[1])) * 3, 6)
    found = patches(maps) @ weight
    expected = F.conv2d(maps.movedim(-1, 1), kernel(weight, size, 3), stride=2, padding=1)
    assert expected.shape[2:] == (halved(size[0]), halved(size[1]))
    assert torch.allclose(found, expected.flatten(2).mT, atol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (4, 4), (7, 7)])
def test_map_encoder_by_hand(size):
    maps = drawn(T, N, *size, 6)
    generator, smaller = torch.Generator().manual_seed(3), tuple(map(halved, size))
    params = {}
    for name, inputs, outputs, side in (("conv1", 6, 3, size), ("conv2", 3, 6, smaller)):
        for key in ("weight", "bias"):
            layers = [[new_convolution(inputs, outputs, side, generator)[key] for _ in range(T)]
                      for _ in range(M)]  # fmt: skip
            params[f"s.{name}.{key}"] = torch.stack([torch.stack(row) for row in layers])
    found = encode_maps(params, "s", maps)
    assert found.shape == (M, T, N, 6)
    for m in range(M):
        for t in range(T):
            x = maps[t].movedim(-1, 1)
            for name, inputs, side in (("conv1", 6, size), ("conv2", 3, smaller)):
                weight = kernel(params[f"s.{name}.weight"][m, t], side, inputs)
                x = F.conv2d(x, weight, params[f"s.{name}.bias"][m, t], stride=2, padding=1).relu()
            assert torch.allclose(found[m, t], x.mean(dim=(2, 3)), atol=1e-5)


def test_attention_against_pytorch():
    params = {
        f"a.{part}.{key}": drawn(M, T, *shape, seed=i)
        for i, part in enumerate(("query", "key", "value", "forward"))
        for key, shape in (("weight", (4, 4)), ("bias", (4,)))
    }
    queries, keys = drawn(M, T, 2, 4, seed=8), drawn(M, T, 5, 4, seed=9)
    q, k, v = (
        linear(params, f"a.{part}", x)
        for part, x in (("query", queries), ("key", keys), ("value", keys))
    )
    mixed = q + F.scaled_dot_product_attention(q, k, v)
    expected = mixed + linear(params, "a.forward", mixed).relu()
    assert torch.allclose(attend(params, "a", queries, keys), expected, atol=1e-5)
