import hashlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dass_ray.keys import KeySet, halves

from .make import few

words = st.lists(st.text("0123456789abcdef", max_size=20))


@few
@given(words, words)
def test_holds_what_it_was_made_of(some, others):
    column = pa.chunked_array([pa.array(some, pa.string()), pa.array(some[:2], pa.string())])
    found = KeySet.of(column)
    assert found.holds(others).tolist() == [key in some for key in others]
    assert len(found) == len(some) + len(some[:2])


def test_the_first_half_of_a_key_tells():
    key = "0" * 31 + "1" + "f" * 32
    found = KeySet.of(pa.chunked_array([[key]]))
    assert found.holds([key, "0" * 64]).tolist() == [True, False]
    assert found.sorted.nbytes == 32


def test_slices_of_columns():
    column = pa.chunked_array([["a", "b", "c"], ["d"]]).slice(1, 2)
    assert halves(column).tolist() == [b"b", b"c"]


def test_none():
    assert len(KeySet.of(pa.chunked_array([], pa.string()))) == 0
    assert KeySet.of(pa.chunked_array([], pa.string())).holds(["a"]).tolist() == [False]


def key(n):
    return hashlib.sha256(str(n).encode()).hexdigest()


@pytest.mark.parametrize("n", [0, 1, 50])
def test_holds_what_was_put_in_and_nothing_else(n):
    found = KeySet.of(pa.chunked_array([[key(i) for i in range(n)]], pa.string()))
    assert len(found) == n
    assert found.holds([key(i) for i in range(-3, n + 3)]).tolist() == [
        0 <= i < n for i in range(-3, n + 3)
    ]
    assert found.holds([]).tolist() == []


def test_it_is_compact():
    found = KeySet.of(pa.chunked_array([[key(i) for i in range(1000)]], pa.string()))
    assert found.sorted.nbytes == 32 * 1000
