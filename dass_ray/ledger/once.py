"""Each run once: of several rows with one key, the first that did not fail, else the first."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dass_ray.keys import among, halves


class Once:
    """Lets the rows of tables pass that count, table by table in the order of the parts.

    A failed row is held back until the end, when it is clear that its run did not end well in a
    later part. The memory is 32 bytes for each row that passed, and the failed rows.
    """

    def __init__(self) -> None:
        self._seen = _Seen()
        self._failed: list[pa.Table] = []

    def new(self, table: pa.Table) -> pa.Table:
        """The rows of runs that are seen for the first time and did not fail."""
        failed = pc.equal(table["status"], "failed")
        if pc.any(failed).as_py():
            self._failed.append(table.filter(failed))
            table = table.filter(pc.invert(failed))
        return self._first(table)

    def failed(self) -> list[pa.Table]:
        """At the end: the first row of each run that failed and never ended otherwise."""
        return [self._first(table) for table in self._failed]

    def _first(self, table: pa.Table) -> pa.Table:
        new = self._seen.add(halves(table["key"]))
        return table if new.all() else table.filter(pa.array(new))


class _Seen:
    """Keys that came before, as a few sorted arrays, each more than twice as long as the next."""

    def __init__(self) -> None:
        self._runs: list[NDArray[np.bytes_]] = []

    def add(self, keys: NDArray[np.bytes_]) -> NDArray[np.bool_]:
        """[N]: which of N keys are new; of equal ones the first."""
        ordered, first = np.unique(keys, return_index=True)
        old = np.zeros(len(ordered), np.bool_)
        for run in self._runs:
            old |= among(ordered, run)
        new = np.zeros(len(keys), np.bool_)
        new[first[~old]] = True
        self._keep(ordered[~old])
        return new

    def _keep(self, run: NDArray[np.bytes_]) -> None:
        while self._runs and len(self._runs[-1]) <= 2 * len(run):
            run = np.sort(np.concatenate([self._runs.pop(), run]), kind="stable")
        self._runs.append(run)
