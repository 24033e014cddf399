import math
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import entropy

from dass_ray.config import Signal
from dass_ray.predictor.comparisons import (
    COMPARED,
    RIDGE,
    SHARPNESS,
    Compared,
    Seen,
    accuracy,
    cka,
    early_similarity,
    kl,
    rank,
    ridge,
    similarity,
)

B, K = 12, 3


def seen(seed=0, channels=4):
    generator = torch.Generator().manual_seed(seed)
    stages = [torch.randn(B, c, generator=generator) for c in (channels - 1, channels)]
    return Seen(tuple(stages), torch.randn(B, K, generator=generator), torch.arange(B) % K)


def test_ridge_equals_fitting_without_each_image():
    student = seen()
    x = student.stages[-1].double().numpy()
    x = x - x.mean(axis=0)
    x = np.hstack([x / np.sqrt((x**2).mean()), np.ones((B, 1))])
    y = np.eye(K)[student.labels]
    losses = []
    for i in range(B):
        rest = np.arange(B) != i
        left = x[rest].T @ x[rest] + RIDGE * B * np.eye(x.shape[1])
        logits = SHARPNESS * x[i] @ np.linalg.solve(left, x[rest].T @ y[rest])
        losses.append(math.log(np.exp(logits).sum()) - logits[student.labels[i]])
    assert ridge(student, student).item() == pytest.approx(-np.mean(losses), rel=1e-6)


def test_accuracy_by_hand():
    logits = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0], [0.0, 0.1]])
    student = Seen((torch.zeros(4, 1),), logits, torch.tensor([0, 0, 0, 1]))
    assert accuracy(student, student) == 0.75


def test_kl_by_hand():
    student, teacher = seen(1), seen(2)
    ours, theirs = (F.softmax(s.logits, dim=1).numpy() for s in (student, teacher))
    mean = np.mean([entropy(t, o) for t, o in zip(theirs, ours, strict=True)])
    assert kl(student, teacher).item() == pytest.approx(-math.log(mean), rel=1e-5)


def test_the_teachers_own_kl_is_a_number():
    assert math.isfinite(kl(seen(), seen()))


def test_cka_by_its_definition():
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)) of centred Gram matrices."""
    a, b = seen(1).stages[-1], seen(2, 6).stages[-1]
    centre = torch.eye(B) - 1 / B
    k, m = (centre @ x @ x.T @ centre for x in (a, b))
    expected = (k * m).sum() / (k.norm() * m.norm())
    assert cka(a, b).item() == pytest.approx(expected.item(), rel=1e-5)
    assert cka(a, 3 * a + 1).item() == pytest.approx(1)
    assert cka(a, torch.zeros_like(a)) == 0


def test_which_stage_is_compared():
    student, teacher = seen(1), seen(2)
    assert similarity(student, teacher) == cka(student.stages[1], teacher.stages[1])
    assert early_similarity(student, teacher) == cka(student.stages[0], teacher.stages[0])


def test_rank_by_hand():
    student = seen()
    x = student.stages[-1].double().numpy()
    power = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    assert rank(student, student).item() == pytest.approx(entropy(power / power.sum()), rel=1e-6)
    flat = Seen((torch.ones(B, 4),), student.logits, student.labels)
    assert rank(flat, flat) == 0


def test_channels_that_are_zero_do_not_matter():
    """A narrow stage is padded to its full width."""
    a, b = seen(1).stages[-1], seen(2, 6).stages[-1]
    assert cka(F.pad(a, (0, 5)), b).item() == pytest.approx(cka(a, b).item(), rel=1e-9)


def test_of_one_stage_the_last_is_compared():
    one, other = (Seen(s.stages[-1:], s.logits, s.labels) for s in (seen(1), seen(2)))
    assert early_similarity(one, other) == similarity(one, other)


def test_every_name_of_the_config_is_compared_or_a_zero_cost_score():
    assert tuple(COMPARED) == get_args(Compared)
    assert set(COMPARED) == set(get_args(Signal)) - {"zen", "nwot"}
