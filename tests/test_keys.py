import hashlib

import pyarrow as pa
import pytest

from dass_ray import keys
from dass_ray.keys import KeySet


def key(n):
    return hashlib.sha256(str(n).encode()).hexdigest()


@pytest.mark.parametrize("n", [0, 1, 50])
def test_holds_what_was_put_in_and_nothing_else(n, monkeypatch):
    monkeypatch.setattr(keys, "_SLICE", 7)
    found = KeySet.of(pa.chunked_array([[key(i) for i in range(n)]], pa.string()))
    assert len(found) == n
    assert found.holds([key(i) for i in range(-3, n + 3)]).tolist() == [
        0 <= i < n for i in range(-3, n + 3)
    ]
    assert found.holds([]).tolist() == []


def test_it_is_compact():
    found = KeySet.of(pa.chunked_array([[key(i) for i in range(1000)]], pa.string()))
    assert found.sorted.nbytes == 32 * 1000
