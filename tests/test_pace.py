import numpy as np
import pyarrow as pa
import pytest

from dass_ray.pace import Measured, Pace, load
from dass_ray.records import ROW_SCHEMA

from .make import KD, TEACH, row

FLOPS = np.array([10**6, 3 * 10**6, 5 * 10**7])


def test_load_by_hand():
    """66 images in batches of 16 are 4 steps; 4 epochs."""
    found = load(KD, 66, FLOPS)
    assert found[:, 0].tolist() == [16, 16, 16]
    assert found[:, 1].tolist() == [3 * 4 * 66 * f for f in FLOPS]
    assert load(KD.model_copy(update={"min_steps": 40}), 66, FLOPS)[0, 0] == 40
    assert load(TEACH, 8, FLOPS)[0, 0] == 4  # at least one step an epoch


def test_exact_times_are_found_again():
    loads = np.concatenate([load(KD, 66, FLOPS), load(KD, 500, FLOPS)])
    pace = Pace()
    pace.add(loads, loads @ [2e-3, 5e-11])
    other = load(KD, 5000, FLOPS)
    assert pace.seconds(other) == pytest.approx(other @ [2e-3, 5e-11], rel=1e-6)


def test_learning_in_parts_is_learning_at_once():
    loads, rng = load(KD, 66, FLOPS), np.random.default_rng(0)
    seconds = rng.random(3)
    whole, parts = Pace(), Pace()
    whole.add(loads, seconds)
    for i in range(3):
        parts.add(loads[i : i + 1], seconds[i : i + 1])
    assert parts.measured == whole.measured == 3
    assert parts.seconds(loads) == pytest.approx(whole.seconds(loads))


def test_no_time_is_negative():
    """Where more FLOPs took less time, by chance."""
    pace = Pace()
    pace.add(load(KD, 66, FLOPS), np.array([3.0, 2.0, 1.0]))
    assert (pace.seconds(load(KD, 66, np.array([1, 10**9]))) > 0).all()


def test_one_run_tells_of_itself():
    pace = Pace()
    pace.add(load(KD, 66, FLOPS[:1]), np.array([4.0]))
    assert pace.seconds(load(KD, 66, FLOPS[:1])) == pytest.approx([4.0])


def test_a_guess_before_any_run_is_measured():
    assert (Pace().seconds(load(KD, 66, FLOPS)) > 0).all()


def table(*rows):
    return pa.Table.from_pylist([vars(one) for one in rows], schema=ROW_SCHEMA)


def test_rows_of_a_store():
    recipe = KD.model_dump_json()
    rows = [row(f"{i}", recipe=recipe, flops=int(f), seconds=1.0 + i) for i, f in enumerate(FLOPS)]
    others = [
        row("a", recipe=recipe, status="diverged", seconds=99.0),
        row("b", recipe=recipe, dataset="unknown", seconds=99.0),
        row("c", recipe=recipe, device="other", seconds=99.0),
    ]
    found = Measured.of(table(*rows, *others), {"tinges": 66})
    assert (found.device, found.pace.measured) == ("cpu", 3)
    expected = Pace()
    expected.add(load(KD, 66, FLOPS), np.array([1.0, 2.0, 3.0]))
    loads = load(KD, 66, FLOPS)
    assert found.pace.seconds(loads) == pytest.approx(expected.seconds(loads))
    assert Measured.of(table(*others[:2]), {"tinges": 66}) is None
