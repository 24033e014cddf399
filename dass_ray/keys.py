"""Sets of run keys, as compact as they can be: 32 bytes a key, where a Python set takes 200."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_KIND = np.dtype("S32")  # hexadecimal digits, 128 bits: enough that no two runs ever share them
_SLICE = 65_536  # keys that are Python objects at one time


@dataclass(frozen=True)
class KeySet:
    """Immutable; `sorted` has the first half of every key."""

    sorted: NDArray[np.bytes_]

    @classmethod
    def of(cls, column: pa.ChunkedArray) -> Self:
        """The keys of a table's column of strings."""
        slices = (column.slice(i, _SLICE) for i in range(0, len(column), _SLICE))
        parts = [np.array(part.to_pylist(), dtype=_KIND) for part in slices]
        return cls(np.sort(np.concatenate(parts)) if parts else np.empty(0, _KIND))

    def __len__(self) -> int:
        return len(self.sorted)

    def holds(self, keys: Sequence[str]) -> NDArray[np.bool_]:
        """[N]: which of N keys are in the set."""
        asked = np.array(keys, dtype=_KIND)
        if not len(self.sorted):
            return np.zeros(len(asked), dtype=np.bool_)
        places = np.minimum(np.searchsorted(self.sorted, asked), len(self.sorted) - 1)
        found: NDArray[np.bool_] = self.sorted[places] == asked
        return found
