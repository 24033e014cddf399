import numpy as np
import pytest

from dass_ray.families import codes


@pytest.mark.parametrize(
    ("block", "code"), [(1, 1), (32_767, 32_767), ((4, 3), 67), ((4, 0), 64), ((2, 15, 1), 753)]
)
def test_there_and_back(block, code):
    numbers = codes.numbers(block)
    assert codes.code(block) == code
    assert codes.block(code, len(numbers)) == block
    packed = np.array([[code, 0]], np.int16)
    assert codes.decoded(packed, len(numbers))[0].T.tolist() == [list(numbers), [0] * len(numbers)]


def test_blocks_in_order_have_codes_in_order():
    blocks = [(w, e, k) for w in (3, 4) for e in (1, 6) for k in (0, 15)]
    found = [codes.code(block) for block in blocks]
    assert found == sorted(set(found))
