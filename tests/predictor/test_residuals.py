import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import RBF, ConstantKernel

from dass_ray.predictor.residuals import ALIKE, LENGTH, LEVEL, NOISE, Residuals, kernel


def drawn(*shape, seed=0):
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_equals_the_process_of_scikit_learn():
    hidden, others = drawn(6, 10), drawn(4, 10, seed=1)
    outputs, targets = drawn(6, seed=2), drawn(6, seed=3)
    found = Residuals.of(hidden, outputs, targets).at(others)
    length = LENGTH * np.sqrt(10)
    model = GaussianProcessRegressor(
        ConstantKernel(LEVEL) + ConstantKernel(ALIKE) * RBF(length), alpha=NOISE, optimizer=None
    )
    model.fit(hidden.numpy(), (targets - outputs).numpy())
    assert found.numpy() == pytest.approx(model.predict(others.numpy()), abs=1e-5)


def test_one_verified_student_moves_the_level_of_all_and_its_like_the_most():
    hidden = torch.zeros(1, 8)
    like, unlike = torch.zeros(1, 8), torch.ones(1, 8)
    found = Residuals.of(hidden, torch.tensor([0.0]), torch.tensor([1.0]))
    assert found.at(like).item() == pytest.approx((LEVEL + ALIKE) / (LEVEL + ALIKE + NOISE))
    assert 0.5 < found.at(unlike).item() < found.at(like).item()


def test_what_was_predicted_right_changes_nothing():
    hidden, outputs = drawn(3, 5), drawn(3, seed=1)
    assert Residuals.of(hidden, outputs, outputs).at(drawn(4, 5, seed=2)).tolist() == [0] * 4


def test_kernel_by_hand():
    a, b = torch.tensor([[0.0, 0.0]]), torch.tensor([[0.5, 0.5]])
    expected = LEVEL + ALIKE * np.exp(-0.25 / (2 * LENGTH**2))
    assert kernel(a, b).item() == pytest.approx(expected, rel=1e-6)
