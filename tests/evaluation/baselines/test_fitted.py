import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingRegressor, RandomForestRegressor
from sklearn.preprocessing import StandardScaler

from dass_ray.evaluation.baselines import fitted

RNG = np.random.default_rng(0)
X = RNG.normal(2, 3, (30, 2))
Y = np.sin(X[:, 0]) + 0.5 * X[:, 1] + RNG.normal(0, 0.3, 30)


def test_draws_are_the_same_for_every_method():
    first, again = fitted.draws(30, 5, 3), fitted.draws(30, 5, 3)
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert [len(set(drawn)) for drawn in first] == [5, 5, 5]
    assert len({tuple(drawn) for drawn in first}) == 3
    assert not np.array_equal(first[0], fitted.draws(30, 6, 1)[0][:5])


@pytest.mark.parametrize("model", fitted.MODELS)
def test_learns_from_the_given_students_alone(model):
    scores = fitted.scores(model, X, Y, 20, 2)
    for given, mine in zip(fitted.draws(30, 20, 2), scores, strict=True):
        assert set(np.flatnonzero(np.isnan(mine))) == set(given)
        rest = ~np.isnan(mine)
        assert np.corrcoef(mine[rest], Y[rest])[0, 1] > 0.6
    elsewhere = Y.copy()
    elsewhere[np.flatnonzero(~np.isnan(scores[0]))] = 99  # what is not given is not looked at
    assert np.array_equal(
        fitted.scores(model, X, elsewhere, 20, 1), scores[:1], equal_nan=True
    )  # fmt: skip


def test_gaussian_process_by_its_formula():
    """The posterior mean with the fitted kernel, from standardised features and accuracies."""
    given, wanted = np.arange(20), np.arange(20, 30)
    found = fitted.fit_predict("Gaussian process", X[given], Y[given], X[wanted], 0)
    z = (X - X[given].mean(axis=0)) / X[given].std(axis=0)
    targets = (Y[given] - Y[given].mean()) / Y[given].std()
    model = fitted.gaussian_process(0, 2).fit(z[given], targets)
    length, noise = model.kernel_.k1.length_scale, model.kernel_.k2.noise_level

    def kernel(a, b):
        return np.exp(-0.5 * ((a[:, None] - b[None]) ** 2).sum(axis=2) / length**2)

    inner = kernel(z[given], z[given]) + noise * np.eye(20)
    expected = kernel(z[wanted], z[given]) @ np.linalg.solve(inner, targets)
    assert found.tolist() == pytest.approx(expected.tolist(), rel=1e-5)
    assert 0.3 * 2**0.5 <= length <= 100 * 2**0.5


@pytest.mark.parametrize(
    ("name", "model"),
    [("random forest", RandomForestRegressor), ("gradient boosting", GradientBoostingRegressor)],
)
def test_trees_of_scikit_learn(name, model):
    scaler = StandardScaler().fit(X[:20])
    targets = (Y[:20] - Y[:20].mean()) / Y[:20].std()
    trees = model(n_estimators=100, random_state=7).fit(scaler.transform(X[:20]), targets)
    found = fitted.fit_predict(name, X[:20], Y[:20], X[20:], 7)
    assert found.tolist() == pytest.approx(trees.predict(scaler.transform(X[20:])).tolist())


def test_students_that_all_reached_the_same():
    found = fitted.fit_predict("Gaussian process", X[:5], np.full(5, 0.4), X[5:], 0)
    assert np.allclose(found, 0)
