import numpy as np
import pytest
from scipy.special import logit
from scipy.stats import spearmanr
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, WhiteKernel

from dass_ray.cost import cost
from dass_ray.explore.emulator import KERNEL, Emulator, Scales, features, tuned
from dass_ray.space import MICRO, Spec

from ..make import MOBILE, TINY
from .make import COSTS, SMALL, accuracy, candidates, drawn

FIRST = Scales(1.0, 8.0, 0.1)


@pytest.fixture(scope="module")
def emulator():
    some = candidates(MICRO, drawn(MICRO, 400))
    first = some.at(np.arange(100))
    scales = tuned(MICRO, first.specs, first.cost, first.predicted)
    return Emulator.fit(MICRO, some.specs, some.cost, some.predicted, scales)


def kernel(scales):
    """The same process as scikit-learn has it."""
    signal = ConstantKernel(scales.variance) * RBF(scales.length)
    return signal + WhiteKernel(scales.noise)


def held_out(n=300):
    specs = drawn(MICRO, n, seed=9)
    return specs, COSTS["micro"](specs)


def test_features_by_hand():
    specs = TINY.pack([Spec.parse("3/6-8")])
    costs = COSTS["tiny"](specs)
    found = features(TINY, specs, costs)[0].tolist()
    widths = [1, 0, 1, 1, 0.75, 0, 0.75, 1]
    first = [0, 1, 0, 0, 0, 0]  # of 2, 3 and 4: block 1 has 3, there is no block 2
    second = [0, 0, 1, 0, 0, 0, 0, 0, 0, 1]  # of 4, 5, 6, 7 and 8
    logs = np.log([costs.params[0], costs.flops[0]]).tolist()
    assert found == pytest.approx([*widths, *first, *second, *logs])


def test_features_of_blocks_of_two_numbers():
    """Widths as categories, then expansions."""
    specs = MOBILE.pack([Spec.parse("2x3/6x1-3x3")])
    costs = cost(MOBILE, specs, 3)
    found = features(MOBILE, specs, costs)[0].tolist()
    widths = [1, 0, 0, 0, 0, 1, 1, 0]  # of 2 and 4, then of 3 and 6
    expansions = [0, 1, 0, 0, 1, 0, 0, 1]  # of 1 and 3
    logs = np.log([costs.params[0], costs.flops[0]]).tolist()
    expected = [*MOBILE.vectors(specs)[0].tolist(), *widths, *expansions, *logs]
    assert found == pytest.approx(expected)


def test_a_smooth_function_is_found_again_on_other_students(emulator):
    """A stage, a width or a cost that is mixed up costs far more than this bound."""
    specs, costs = held_out()
    found = emulator.predict(specs, costs)
    assert ((found > 0) & (found < 1)).all()
    assert spearmanr(found, accuracy(MICRO, specs)).statistic > 0.97
    assert np.abs(found - accuracy(MICRO, specs)).mean() < 0.01


def test_what_was_scored_is_known(emulator):
    some = candidates(MICRO, drawn(MICRO, 400))
    assert emulator.predict(some.specs, some.cost) == pytest.approx(some.predicted, abs=0.02)


def test_optimism_is_one_standard_deviation(emulator):
    specs, costs = held_out()
    mean, bright = emulator.predict(specs, costs), emulator.optimistic(specs, costs)
    assert (bright >= mean).all()
    assert (bright < 1).all()


def test_the_process_is_that_of_an_independent_implementation(emulator):
    some = candidates(MICRO, drawn(MICRO, 400))
    targets = (logit(some.predicted) - emulator.level) / emulator.scale
    theirs = GaussianProcessRegressor(kernel(emulator.scales), optimizer=None)
    theirs.fit(emulator.known, targets)
    specs, costs = held_out()
    x = (features(MICRO, specs, costs) - emulator.zero) / emulator.unit
    mean, std = theirs.predict(x, return_std=True)
    found, bright = (f(specs, costs) for f in (emulator.predict, emulator.optimistic))
    assert logit(found) == pytest.approx(mean * emulator.scale + emulator.level, abs=1e-6)
    doubt = np.sqrt(std**2 - emulator.scales.noise)  # of the accuracy, not of one more score
    assert logit(bright) - logit(found) == pytest.approx(doubt * emulator.scale, abs=1e-5)


def test_doubt_grows_away_from_what_is_known():
    """Known is one half of the space: students without a second stage of more than one block."""
    specs = drawn(SMALL, 400)
    shallow = (specs[:, 1] > 0).sum(axis=1) == 1
    near, far = candidates(SMALL, specs[shallow]), candidates(SMALL, specs[~shallow])
    found = Emulator.fit(SMALL, near.specs, near.cost, near.predicted, FIRST)
    doubt = [
        logit(found.optimistic(c.specs, c.cost)) - logit(found.predict(c.specs, c.cost))
        for c in (near, far)
    ]
    assert doubt[1].mean() > 1.3 * doubt[0].mean()


def test_equal_scores_are_no_trouble():
    specs = drawn(TINY, 40)
    costs, flat = COSTS["tiny"](specs), np.full(40, 0.7)
    found = Emulator.fit(TINY, specs, costs, flat, FIRST)
    assert found.predict(specs, costs) == pytest.approx(flat, abs=1e-6)
    assert (found.optimistic(specs, costs) >= 0.7 - 1e-6).all()


def test_the_scales_fit_the_students():
    """Better than the first guess, by the likelihood."""
    some = candidates(MICRO, drawn(MICRO, 120))
    scales = tuned(MICRO, some.specs, some.cost, some.predicted)
    x, y = features(MICRO, some.specs, some.cost), logit(some.predicted)
    x = (x - x.mean(axis=0)) / np.maximum(x.std(axis=0), 1e-6)
    likely = [
        GaussianProcessRegressor(k, optimizer=None, normalize_y=True)
        .fit(x, y)
        .log_marginal_likelihood_value_
        for k in (kernel(scales), KERNEL)
    ]
    assert likely[0] > likely[1] + 10
    assert tuned(MICRO, some.specs, some.cost, some.predicted) == scales


def test_scores_of_0_and_1_are_learned_from():
    """A predictor's numbers end at 1 where their log-odds are large."""
    some = candidates(SMALL, drawn(SMALL, 60))
    scores = np.where(np.arange(60) < 2, [0.0], np.where(np.arange(60) < 4, 1.0, some.predicted))
    scales = tuned(SMALL, some.specs, some.cost, scores)
    found = Emulator.fit(SMALL, some.specs, some.cost, scores, scales)
    for predicted in (found.predict, found.optimistic):
        values = predicted(some.specs, some.cost)
        assert ((values >= 0) & (values <= 1)).all()
