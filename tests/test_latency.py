import numpy as np
import pytest
from pydantic import ValidationError

from dass_ray.errors import UserError
from dass_ray.latency import LatencySetup, LatencyTable
from dass_ray.space import MICRO, PAPER, Spec

from .make import ODD, TINY
from .make_latency import SETUP, latency_table, students


@pytest.mark.parametrize("space", [TINY, ODD, MICRO], ids=lambda space: space.name)
def test_milliseconds_are_the_sum_of_the_blocks_rows(space):
    table = latency_table(space=space)
    times = {row[:-1]: row.ms for row in table.blocks}
    specs = students(space, 50, seed=3)
    expected = []
    for spec in specs:
        ms, inputs = table.base, spec.stages[0][0]  # the stem has the first block's width
        for s, stage in enumerate(spec.stages, 1):
            for j, width in enumerate(stage):
                ms += times[s, j == 0, inputs, width]
                inputs = width
        expected.append(ms)
    found = table.milliseconds(space.pack(specs))
    assert found.dtype == np.float64
    assert found == pytest.approx(np.array(expected))


def test_by_hand():
    table = latency_table()
    first, second = (
        next(row.ms for row in table.blocks if row[:-1] == block)
        for block in ((1, True, 3, 3), (2, True, 3, 8))
    )
    (ms,) = table.milliseconds(TINY.pack([Spec.parse("3/8")]))
    assert ms == pytest.approx(table.base + first + second)


def test_no_students():
    assert latency_table().milliseconds(TINY.pack([])).shape == (0,)


def test_students_of_another_space():
    table = latency_table()
    with pytest.raises(UserError, match=r"has 2 stages, the students 4: .* space 'tiny'"):
        table.milliseconds(MICRO.pack([MICRO.teacher]))
    for wrong in ("7/8", "4/9", "4/2-8", "32767/8"):
        with pytest.raises(UserError, match=r"lacks: it was measured on the space 'tiny'"):
            table.milliseconds(TINY.pack([TINY.teacher, Spec.parse(wrong)]))


def test_a_space_within_is_right_any_other_is_not():
    table = latency_table()
    shallow = TINY.model_copy(update={"name": "shallow", "max_depth": 1})
    table.check(TINY)
    table.check(shallow)
    specs = shallow.sample(9, np.random.default_rng(0))
    deep = TINY.pack(shallow.unpack(specs))
    assert table.milliseconds(specs) == pytest.approx(table.milliseconds(deep))
    deeper = TINY.model_copy(update={"max_depth": 3})
    for other in (deeper, TINY.model_copy(update={"image_size": 16}), PAPER):
        with pytest.raises(UserError, match=f"of the space 'tiny', not of '{other.name}'"):
            table.check(other)


def test_json_and_back():
    table = latency_table()
    again = LatencyTable.model_validate_json(table.model_dump_json())
    assert again == table
    specs = TINY.sample(9, np.random.default_rng(0))
    assert (again.milliseconds(specs) == table.milliseconds(specs)).all()
    assert again.setup == SETUP


def test_the_rows_for_people():
    rows = [row[:-1] for row in latency_table().extremes]
    assert rows == [
        (1, True, 2, 2), (1, True, 4, 4), (1, False, 2, 2), (1, False, 4, 4),
        (2, True, 2, 4), (2, True, 4, 8), (2, False, 4, 4), (2, False, 8, 8),
    ]  # fmt: skip


def test_a_setup_in_words():
    assert str(SETUP) == "tiny, 3 classes, abacus, 1 image, 1 thread, 24 students, seed 0"
    more = SETUP.model_copy(update={"batch": 32, "threads": 2})
    assert "32 images, 2 threads" in str(more)


@pytest.mark.parametrize(
    "wrong", [{"batch": 0}, {"threads": 0}, {"students": 7}, {"classes": 0}, {"dtype": "float16"}]
)
def test_a_setup_that_cannot_be(wrong):
    (name,) = wrong
    with pytest.raises(ValidationError, match=name):
        LatencySetup(**SETUP.model_dump() | wrong)
