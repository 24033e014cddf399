import pytest
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.data.naming import is_built_in, is_name, stored_name, textures_seed, unknown_name
from dass_ray.errors import UserError

from ..make import few


@pytest.mark.parametrize("name", ["a", "Tiny_ImageNet-0.v2", "..a", "7", "x" * 100, "digits"])
def test_good_names_are_stored_as_they_are(name):
    assert is_name(name)
    assert stored_name(name) == name


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "a b", "a:b", "é", "x" * 101, "a\n", "textures:", "textures:01"]
)
def test_bad_names_are_refused(name):
    assert not is_name(name)
    with pytest.raises(UserError, match="cannot name a data set: use"):
        stored_name(name)


@few
@given(st.text())
def test_a_stored_name_is_one_path_component(name):
    if is_name(name):
        stored = stored_name(name)
        assert not set(stored) & set("/\\: \n")
        assert stored not in ("", ".", "..")


@few
@given(st.integers(0, 10**18 - 1))
def test_textures(seed):
    for name in (f"textures:{seed}", f"textures-{seed}"):
        assert textures_seed(name) == seed
        assert is_built_in(name)
        assert stored_name(name) == f"textures-{seed}"


@pytest.mark.parametrize("name", ["textures", "textures:x", "textures:-1", "mytextures:1", "digit"])
def test_not_built_in(name):
    assert not is_built_in(name)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("cifar", "did you mean cifar10?"),
        ("tiny", "did you mean tiny_0 or tiny_1 or tiny_2?"),
        ("texture:3", "did you mean textures:<seed>?"),
        ("zzz", "there are: cifar10, digits, textures:<seed>, tiny_0, tiny_1, tiny_2, tiny_3;"),
    ],
)
def test_unknown_names(name, advice):
    error = unknown_name(name, ["tiny_3", "tiny_2", "tiny_1", "tiny_0", "cifar10"])
    assert isinstance(error, UserError)
    assert advice in str(error)
    assert repr(name) in str(error)
