import numpy as np
import pyarrow as pa
import pytest

from dass_ray.explore.archive import Candidates
from dass_ray.explore.tables import from_table, to_table
from dass_ray.limits import Limits
from dass_ray.searches import BATCH_SCHEMA, BY_TEACHER

from ..make import TINY
from ..make_latency import latency_table
from .make import candidates, drawn


@pytest.mark.parametrize("timed", [True, False])
@pytest.mark.parametrize("n", [6, 0])
def test_round_trip(timed, n):
    table = latency_table() if timed else None
    some = candidates(TINY, drawn(TINY, n), table)
    rows = to_table(TINY, some, Limits(), 3)
    assert rows.schema == BATCH_SCHEMA
    assert rows["round"].to_pylist() == [3] * n
    again = from_table(TINY, rows)
    assert np.array_equal(again.specs, some.specs)
    assert again.predicted.tolist() == some.predicted.tolist()
    assert again.uncertainty.tolist() == some.uncertainty.tolist()
    assert again.cost.params.tolist() == some.cost.params.tolist()
    assert again.cost.flops.tolist() == some.cost.flops.tolist()
    if timed and n:
        assert again.cost.latency.tolist() == some.cost.latency.tolist()
    else:
        assert again.cost.latency is None


def test_scores_by_every_teacher_are_kept():
    one = candidates(TINY, drawn(TINY, 6))
    values = np.random.default_rng(0).random((6, 3, 2))
    some = Candidates.scored(one.specs, values, one.cost)
    rows = to_table(TINY, some, Limits(), 1)
    assert rows.column_names == [*BATCH_SCHEMA.names, *BY_TEACHER.names]
    for table in (rows, pa.concat_tables([rows[:2], rows[2:]])):
        again = from_table(TINY, table)
        assert again.by_teacher.tolist() == values.tolist()
        assert again.predicted.tolist() == values[:, :, 0].max(axis=1).tolist()


def test_what_is_within_the_limits():
    some = candidates(TINY, drawn(TINY, 9), latency_table())
    limits = Limits(params=int(np.median(some.cost.params)), latency=float(some.cost.latency.max()))
    found = to_table(TINY, some, limits, 1)["feasible"].to_pylist()
    assert found == (some.cost.params <= limits.params).tolist()
    assert 0 < sum(found) < 9


def test_specs_are_texts():
    rows = to_table(TINY, candidates(TINY, TINY.pack([TINY.teacher])), Limits(), 1)
    assert rows["spec"].to_pylist() == ["4-4/8-8"]
