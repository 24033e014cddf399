"""Sets of run keys, as compact as they can be: 32 bytes a key, where a Python set takes 200."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

WIDTH = 32  # hexadecimal digits, 128 bits: enough that no two runs ever share them
_KIND = np.dtype(f"S{WIDTH}")


@dataclass(frozen=True)
class KeySet:
    """Immutable; `sorted` has the first half of every key."""

    sorted: NDArray[np.bytes_]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """The keys of a table's column of strings."""
        return cls(np.sort(halves(column)))

    def __len__(self) -> int:
        return len(self.sorted)

    def holds(self, keys: Sequence[str]) -> NDArray[np.bool_]:
        """[N]: which of N keys are in the set."""
        asked = np.array(keys, dtype=_KIND)
        order = np.argsort(asked)  # neighbours are looked up side by side: many times as fast
        found = np.empty(len(asked), np.bool_)
        found[order] = among(asked[order], self.sorted)
        return found


def halves(column: pa.ChunkedArray) -> NDArray[np.bytes_]:
    """[N]: the first half of every key of a column of strings, without making Python objects."""
    parts = [np.empty(0, _KIND)]
    for chunk in column.chunks:
        padded = pc.ascii_rpad(pc.utf8_slice_codeunits(chunk, 0, WIDTH), WIDTH, padding="\0")
        fixed = padded.cast(pa.binary()).cast(pa.binary(WIDTH))
        parts.append(np.frombuffer(fixed.buffers()[1], _KIND, len(fixed), fixed.offset * WIDTH))
    return np.concatenate(parts)


def among(asked: NDArray[np.bytes_], known: NDArray[np.bytes_]) -> NDArray[np.bool_]:
    """[N]: which of N keys are among sorted ones."""
    if not len(known):
        return np.zeros(len(asked), np.bool_)
    places = np.minimum(np.searchsorted(known, asked), len(known) - 1)
    found: NDArray[np.bool_] = known[places] == asked
    return found
