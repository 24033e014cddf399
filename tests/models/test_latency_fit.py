import numpy as np
import pytest
from scipy.stats import spearmanr

from dass_ray.cost import cost
from dass_ray.errors import UserError
from dass_ray.latency import LatencySetup
from dass_ray.models.latency_fit import coefficients, errors, features, fit, left_out
from dass_ray.space import MICRO, PAPER, Spec

from ..make import MOBILE, ODD, TINY
from ..make_latency import SETUP, latency_table, measured, students, times, truth


def setup(space, n):
    return LatencySetup(space=space, classes=3, device="abacus", students=n)


def test_features_by_hand():
    """4x4 and 2x2 pixels would be wrong: the stride is in the stage's first convolution."""
    (row,) = features(TINY, TINY.pack([Spec.parse("3-4/8")]))
    macs = 9 * 64 * np.array([2 * 3 * 3, 3 * 4 + 4 * 4])
    padded = 9 * 64 * 2 * 16 * 16
    first = [2, 64 * (3 + 2 * 3) + 64 * (3 + 2 * 4), macs.sum(), 2 * padded]
    second = [1, 64 * 4 + 16 * 2 * 8, 9 * 16 * (4 * 8 + 8 * 8), 9 * 16 * 2 * 16 * 16]
    assert row.tolist() == [1, *first, *second]


def test_multiply_accumulates_are_those_of_the_flops():
    specs = ODD.pack(students(ODD, 20))
    macs = features(ODD, specs)[:, 3::4].sum(axis=1)
    stem_and_head = cost(ODD, specs, 7).flops / 2 - macs
    assert stem_and_head == pytest.approx(27 * specs[:, 0, 0] * 12**2 + 10 * 7)


def test_features_of_inverted_bottlenecks_by_hand():
    """The first 1x1 convolution of a stage comes before its stride."""
    (row,) = features(MOBILE, MOBILE.pack([Spec.parse("2x3/3x3-6x1")]))
    first = [1, 64 * (3 + 4 * 9 + 2), 64 * (3 * 9 + 9 * 2), 9 * 64 * 9]
    moved = 64 * (2 + 2 * 6) + 16 * (2 * 6 + 3), 16 * (3 + 4 * 3 + 6)
    pointwise = 64 * 2 * 6 + 16 * 6 * 3, 16 * (3 * 3 + 3 * 6)
    assert row.tolist() == [1, *first, 2, sum(moved), sum(pointwise), 9 * 16 * (6 + 3)]


def test_multiply_accumulates_of_inverted_bottlenecks():
    specs = MOBILE.pack(students(MOBILE, 20))
    rows = features(MOBILE, specs)
    macs = rows[:, 3::4].sum(axis=1) + rows[:, 4::4].sum(axis=1)
    last = MOBILE.decoded(specs)[np.arange(20), 0, 1, (specs[:, 1] > 0).sum(axis=1) - 1]
    assert cost(MOBILE, specs, 7).flops / 2 - macs == pytest.approx(
        27 * 3 * 8**2 + 10 * last * 4**2 + 10 * 7
    )


@pytest.mark.parametrize("space", [TINY, ODD, MICRO, PAPER, MOBILE], ids=lambda space: space.name)
def test_a_known_table_is_found_again(space):
    table = fit(setup(space, 40), measured(space, 40))
    others = students(space, 300, seed=9)
    assert table.milliseconds(space.pack(others)) == pytest.approx(times(space, others), rel=1e-6)
    assert table.errors.median < 1e-6
    assert table.errors.p90 < 1e-6
    assert table.errors.spearman > 0.999


def test_noise_is_averaged_and_told():
    noise = 0.05
    table = fit(setup(MICRO, 60), measured(MICRO, 60, noise))
    others = students(MICRO, 500, seed=9)
    off = abs(table.milliseconds(MICRO.pack(others)) / times(MICRO, others) - 1)
    assert np.median(off) < noise / 2
    assert noise / 2 < table.errors.median < 1.5 * noise  # 0.67 of it, if the table were perfect


def test_a_relative_error_counts_alike_for_small_and_large():
    rows, ms = np.ones((2, 1)), np.array([1.0, 100.0])
    (found,) = coefficients(rows, ms)
    assert found == pytest.approx((1 + 0.01) / (1 + 0.01**2))  # of (c - 1)^2 + (c / 100 - 1)^2


def test_no_block_takes_negative_time():
    specs = students(MICRO, 40)
    upside_down = [(spec, 1 / ms) for spec, ms in zip(specs, times(MICRO, specs), strict=True)]
    table = fit(setup(MICRO, 40), upside_down)
    assert min(row.ms for row in table.blocks) >= 0
    assert table.base >= 0


def test_left_out_is_a_refit_without_each_student():
    some = measured(TINY, 12, noise=0.1)
    rows, ms = features(TINY, TINY.pack([s for s, _ in some])), np.array([ms for _, ms in some])
    expected = []
    for i in range(12):
        others = some[:i] + some[i + 1 :]
        table = fit(setup(TINY, 11), others)
        expected.append(table.milliseconds(TINY.pack([some[i][0]]))[0])
    assert left_out(rows, ms) == pytest.approx(np.array(expected))


def test_errors_are_of_the_left_out():
    table = latency_table(noise=0.1)
    ms, predicted = (np.array([getattr(s, k) for s in table.measured]) for k in ("ms", "left_out"))
    assert table.errors == errors(ms, predicted)
    off = abs(predicted - ms) / ms
    assert table.errors.median == pytest.approx(np.median(off))
    assert table.errors.p90 == pytest.approx(np.quantile(off, 0.9))
    assert table.errors.spearman == pytest.approx(spearmanr(predicted, ms).statistic)
    seen = table.milliseconds(TINY.pack([Spec.parse(s.spec) for s in table.measured]))
    assert np.median(abs(seen / ms - 1)) < table.errors.median  # those are easier


def test_the_table_has_every_block_once():
    rows = {row[:-1] for row in latency_table(space=ODD).blocks}
    assert len(rows) == len(latency_table(space=ODD).blocks)
    found = set()
    for spec in students(ODD, 3000):
        inputs = spec.stages[0][0]
        for s, stage in enumerate(spec.stages, 1):
            for j, width in enumerate(stage):
                found.add((s, j == 0, inputs, width))
                inputs = width
    assert found <= rows
    assert rows - found <= {row for row in rows if row[0] == 3}  # the last block is always full


def test_the_table_of_inverted_bottlenecks_has_every_block_once():
    rows = [row[:-1] for row in latency_table(space=MOBILE).blocks]
    kinds = {1: [33, 35, 65, 67], 2: [49, 51, 97, 99]}
    widths = {(1, True): [3], (1, False): [2, 4], (2, True): [2, 4], (2, False): [3, 6]}
    assert len(rows) == len(set(rows))
    assert set(rows) == {(*at, i, k) for at, before in widths.items() for i in before
                         for k in kinds[at[0]]}  # fmt: skip


def test_a_space_without_other_blocks():
    flat = ODD.model_copy(update={"max_depth": 1})
    table = fit(setup(flat, 12), measured(flat, 12))
    assert all(row.first for row in table.blocks)
    some = students(flat, 9)
    assert table.milliseconds(flat.pack(some)) == pytest.approx(times(flat, some), rel=1e-6)


def test_too_few_students():
    with pytest.raises(UserError, match="at least 8 students, not 7"):
        fit(SETUP, measured(TINY, 7))


def test_the_made_up_device_has_no_zeros():
    assert (truth(TINY) > 0).all()
