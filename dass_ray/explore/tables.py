"""Candidates as tables of the store, and back."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from dass_ray.cost import Cost
from dass_ray.explore.archive import Candidates
from dass_ray.limits import Limits
from dass_ray.searches import BATCH_SCHEMA, BY_TEACHER
from dass_ray.space import Space, Spec


def to_table(space: Space, some: Candidates, limits: Limits, number: int) -> pa.Table:
    """Candidates that round `number` scored, as a table of BATCH_SCHEMA.

    With BY_TEACHER behind it, where there are several teachers.
    """
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
    if some.by_teacher is None:
        return pa.table(columns, schema=BATCH_SCHEMA)
    lists = (some.by_teacher[:, :, i].tolist() for i in range(2))
    columns |= zip(BY_TEACHER.names, lists, strict=True)
    return pa.table(columns, schema=pa.schema([*BATCH_SCHEMA, *BY_TEACHER]))


def from_table(space: Space, table: pa.Table) -> Candidates:
    """The candidates of a table of BATCH_SCHEMA, also with BY_TEACHER."""
    latency = table["latency"].to_numpy()
    timed = len(table) > table["latency"].null_count
    return Candidates(
        space.pack([Spec.parse(text) for text in table["spec"].to_pylist()]),
        table["predicted"].to_numpy(),
        table["uncertainty"].to_numpy(),
        Cost(table["params"].to_numpy(), table["flops"].to_numpy(), latency if timed else None),
        _by_teacher(table) if BY_TEACHER.names[0] in table.column_names else None,
    )


def _by_teacher(table: pa.Table) -> NDArray[np.float64]:
    lists = [table[name].combine_chunks() for name in BY_TEACHER.names]
    flat = [column.flatten().to_numpy().reshape(len(table), -1) for column in lists]
    return np.stack(flat, axis=2)
