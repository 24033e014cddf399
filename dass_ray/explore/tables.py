"""Candidates as tables of the store, and back."""

import numpy as np
import pyarrow as pa

from dass_ray.cost import Cost
from dass_ray.explore.archive import Candidates
from dass_ray.limits import Limits
from dass_ray.searches import BATCH_SCHEMA
from dass_ray.space import Space, Spec


def to_table(space: Space, some: Candidates, limits: Limits, number: int) -> pa.Table:
    """Candidates that round `number` scored, as a table of BATCH_SCHEMA."""
    latency = some.cost.latency
    columns = {
        "spec": [str(spec) for spec in space.unpack(some.specs)],
        "predicted": some.predicted,
        "uncertainty": some.uncertainty,
        "params": some.cost.params,
        "flops": some.cost.flops,
        "latency": pa.nulls(len(some), pa.float64()) if latency is None else latency,
        "feasible": limits.met(some.cost),
        "round": np.full(len(some), number),
    }
    return pa.table(columns, schema=BATCH_SCHEMA)


def from_table(space: Space, table: pa.Table) -> Candidates:
    """The candidates of a table of BATCH_SCHEMA."""
    latency = table["latency"].to_numpy()
    timed = len(table) > table["latency"].null_count
    return Candidates(
        space.pack([Spec.parse(text) for text in table["spec"].to_pylist()]),
        table["predicted"].to_numpy(),
        table["uncertainty"].to_numpy(),
        Cost(table["params"].to_numpy(), table["flops"].to_numpy(), latency if timed else None),
    )
