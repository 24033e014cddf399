"""The candidates of a search as columns, and what is read from them. N candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dass_ray.searches import BATCH_SCHEMA

CostName = Literal["params", "flops"]


@dataclass(frozen=True)
class Candidates:
    """All scored candidates in their order, one entry for each in every column, [N].

    A sampler may propose a student twice, so a spec can occur more than once.
    """

    specs: list[str]
    predicted: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    params: NDArray[np.int64]
    flops: NDArray[np.int64]
    feasible: NDArray[np.bool_]
    batch: NDArray[np.int64]  # number of the batch, from 0

    @classmethod
    def of(cls, batches: Sequence[pa.Table]) -> Self:
        """The candidates of tables of BATCH_SCHEMA; of several teachers, each one's best counts."""
        table = pa.concat_tables(
            batch.select(BATCH_SCHEMA.names) for batch in [BATCH_SCHEMA.empty_table(), *batches]
        )
        names = ("predicted", "uncertainty", "params", "flops", "feasible")
        return cls(
            specs=table["spec"].to_pylist(),
            batch=np.repeat(np.arange(len(batches)), [len(batch) for batch in batches]),
            **{name: table[name].to_numpy() for name in names},
        )

    def __len__(self) -> int:
        return len(self.specs)

    @property
    def distinct(self) -> int:
        """How many different students there are."""
        return len(set(self.specs))

    @property
    def best(self) -> int | None:
        """The candidate with the highest prediction within the limits; None where there is none."""
        if not self.feasible.any():
            return None
        return int(np.argmax(np.where(self.feasible, self.predicted, -np.inf)))

    def cost(self, name: CostName) -> NDArray[np.int64]:
        """The column of that cost, [N]."""
        return self.params if name == "params" else self.flops

    def front(self, name: CostName) -> NDArray[np.int64]:
        """Candidates within the limits than which no other is both cheaper and predicted better.

        Indices in ascending order of cost, and so of prediction.
        """
        within = np.flatnonzero(self.feasible)
        order = within[np.lexsort((-self.predicted[within], self.cost(name)[within]))]
        above = np.maximum.accumulate(np.append(-np.inf, self.predicted[order]))
        front: NDArray[np.int64] = order[self.predicted[order] > above[:-1]]
        return front

    def best_so_far(self) -> NDArray[np.float64]:
        """[N] highest prediction within the limits up to each candidate, -inf before the first."""
        so_far: NDArray[np.float64] = np.maximum.accumulate(
            np.where(self.feasible, self.predicted, -np.inf)
        )
        return so_far

    def feasible_shares(self) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """For each batch that has candidates: how many were scored by its end, share in limits."""
        sizes = np.bincount(self.batch)
        hits = np.bincount(self.batch, weights=self.feasible)
        some = sizes > 0
        return np.cumsum(sizes)[some], hits[some] / sizes[some]
