import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dass_ray.errors import UserError
from dass_ray.frozen import Frozen, content_hash

from .make import few


class Inner(Frozen):
    epochs: int = 1
    rate: float = 0.5


class Outer(Frozen):
    inner: Inner = Inner()
    name: str = "x"
    sizes: tuple[int, ...] = ()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)  # fmt: skip


def test_is_frozen_and_hashable():
    model = Outer()
    with pytest.raises(ValidationError, match="frozen"):
        model.name = "y"
    assert hash(model) == hash(Outer(inner=Inner(epochs=1)))
    assert {Outer(name="a"): 1}[Outer(name="a")] == 1


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"nam": "y"}, "unknown key 'nam'; did you mean 'name'?"),
        ({"inner": {"epohcs": 3}}, "unknown key 'inner.epohcs'; did you mean 'epochs'?"),
        ({"inner": {"zzz": 3}}, "unknown key 'inner.zzz'; known: epochs, rate"),
        ({"zzz": 3}, "unknown key 'zzz'; known: inner, name, sizes"),
        ({"inner": {"epochs": "many"}}, "inner.epochs: Input should be a valid integer"),
        ({"inner": {"epochs": "many"}}, "(got 'many')"),
        ({"sizes": [1, "x"]}, "sizes.1: Input should be a valid integer"),
        ({"sizes": "3,4"}, "sizes: write a list, as in [3,4]"),
        ([1], "the whole: "),
    ],
)
def test_errors_name_the_key_and_the_nearest_one(raw, message):
    with pytest.raises(UserError) as caught:
        Outer.parse(raw, "my.yaml")
    assert str(caught.value).startswith("my.yaml: ")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_parse_gives_the_model():
    raw = {"inner": {"epochs": 3}, "sizes": [1, 2]}
    assert Outer.parse(raw, "") == Outer(inner=Inner(epochs=3), sizes=(1, 2))


@few
@given(JSON)
def test_hash_depends_on_content_alone(value):
    again = json.loads(json.dumps(value))
    assert content_hash(value) == content_hash(again)
    if isinstance(value, dict):
        assert content_hash(value) == content_hash(dict(reversed(value.items())))


@few
@given(JSON, JSON)
def test_other_content_has_another_hash(a, b):
    def canonical(value):
        return json.dumps(value, sort_keys=True)

    assert (content_hash(a) == content_hash(b)) == (canonical(a) == canonical(b))


def test_how_content_is_split_counts():
    values = [content_hash(1, 2), content_hash([1, 2]), content_hash(12), content_hash("1", 2)]
    assert len(set(values)) == 4


def test_a_model_is_its_content():
    assert content_hash(Outer(name="a")) == content_hash(Outer(name="a").model_dump(mode="json"))
    assert content_hash(Inner(rate=1)) == content_hash(Inner(rate=1.0))
    assert content_hash(Inner(rate=1)) != content_hash(Inner(rate=2))


def test_hash_is_that_of_the_canonical_json():
    """If this changes, every key in every store does."""
    canonical = b'["run",1,{"inner":{"epochs":1,"rate":0.5},"name":"\\u00e9","sizes":[3,4]},null]'
    expected = hashlib.sha256(canonical).hexdigest()
    assert content_hash("run", 1, Outer(name="é", sizes=(3, 4)), None) == expected


def test_what_is_not_a_number_has_no_hash():
    with pytest.raises(ValueError, match="not JSON compliant"):
        content_hash(float("nan"))
