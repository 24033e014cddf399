"""A block as one number: its code, which arrays of students hold.

The code of a block that is its width is that width. Further numbers are digits below it.
Letters: G numbers of a block.
"""

import numpy as np
from numpy.typing import NDArray

from dass_ray.families.base import Block, Ints

RADIX = 16
"""One more than the largest value of a block's second and further numbers."""
LARGEST = int(np.iinfo(np.int16).max)


def numbers(block: Block) -> tuple[int, ...]:
    """All numbers of a block; the first is its width."""
    return (block,) if isinstance(block, int) else block


def code(block: Block) -> int:
    """The code of a block, above 0."""
    if isinstance(block, int):
        return block
    found = 0
    for number in block:
        found = RADIX * found + number
    return found


def block(code: int, count: int) -> Block:
    """The block of a code and of `count` numbers."""
    if count == 1:
        return code
    digits = []
    for _ in range(count - 1):
        code, digit = divmod(code, RADIX)
        digits.append(digit)
    return (code, *reversed(digits))


def decoded(codes: NDArray[np.integer], count: int) -> Ints:
    """Codes [N, ...] -> [N, G, ...]: the numbers of each block, 0 where there is none."""
    left, digits = codes.astype(np.int64), []
    for _ in range(count - 1):
        left, digit = np.divmod(left, RADIX)
        digits.append(digit)
    return np.stack([left, *reversed(digits)], axis=1)
