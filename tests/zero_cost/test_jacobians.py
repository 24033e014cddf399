"""jacov and EPE-NAS, beside NumPy on Jacobians of one image at a time."""

import copy

import numpy as np
import pytest
import torch

from dass_ray.zero_cost import epe_nas, jacov

K = 1e-5


def rows(case):
    def of(image):
        return torch.autograd.functional.jacobian(lambda x: case.net(x[None]).sum(), image)

    return np.stack([of(image).flatten().double().numpy() for image in case.images])


def test_jacov(case):
    values = np.linalg.eigvalsh(np.corrcoef(rows(case)))
    expected = -np.sum(np.log(values + K) + 1 / (values + K))
    found = jacov.score(case.net, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-3)


def class_sums(case, labels):
    found = rows(case)
    each = [np.abs(np.corrcoef(found[labels.numpy() == c])) for c in range(3)]
    return [np.log(e + K).sum() for e in each]


def test_epe_nas_of_few_classes(case):
    expected = np.abs(class_sums(case, case.labels)).sum()
    found = epe_nas.score(case.net, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-4)


def test_epe_nas_of_many_classes(case, monkeypatch):
    monkeypatch.setattr(epe_nas, "MANY", 2)
    a, b, c = class_sums(case, case.labels)
    expected = (abs(a - b) + abs(a - c) + abs(b - c)) / 3
    found = epe_nas.score(case.net, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-4)


def test_epe_nas_without_two_images_of_a_class(case):
    assert epe_nas.score(case.net, case.images[:3], torch.arange(3)) == 0


def test_images_whose_jacobian_is_constant(case):
    """Their correlation with any other is undefined: a dead network ranks below a live one."""
    live = jacov.score(case.net, case.images, case.labels)
    dead = copy.deepcopy(case.net)
    for weights in dead.parameters():
        torch.nn.init.zeros_(weights)
    found = jacov.score(dead, case.images, case.labels)
    assert np.isfinite(found)
    assert found < live
