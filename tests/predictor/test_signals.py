import math
from typing import get_args

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.stats import entropy

from dass_ray.config import Signal
from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet
from dass_ray.predictor.signals import (
    COMPARED,
    RIDGE,
    SCORED,
    SHARPNESS,
    ZERO_COST,
    _Seen,
    accuracy,
    cka,
    early_similarity,
    kl,
    rank,
    ridge,
    signals,
    similarity,
)

from .. import make_task
from ..make import TINY, specs

B, K = 12, 3


def seen(seed=0, channels=4):
    generator = torch.Generator().manual_seed(seed)
    stages = [torch.randn(B, c, generator=generator) for c in (channels - 1, channels)]
    return _Seen(tuple(stages), torch.randn(B, K, generator=generator), torch.arange(B) % K)


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
    student = _Seen((torch.zeros(4, 1),), logits, torch.tensor([0, 0, 0, 1]))
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
    flat = _Seen((torch.ones(B, 4),), student.logits, student.labels)
    assert rank(flat, flat) == 0


@torch.no_grad()
def test_of_remapped_students_with_batch_norms_of_the_batch():
    teacher, data = make_task.teacher(), make_task.dataset()
    images, labels = data.train.images[:20].float() / 255, data.train.labels[:20]
    some, names = specs(TINY, 5), ("kl", "accuracy", "rank")
    found = signals(teacher, some, images, labels, names)
    assert found.shape == (5, 3)
    assert found.dtype == torch.float32
    for i, spec in enumerate(some):
        net = remap(teacher, ResNet(TINY, spec, 3)).train()
        logits, features = net(images), net.features(images).mean(dim=(2, 3))
        student = _Seen((features,), logits, labels)
        theirs = _Seen((features,), teacher(images), labels)
        expected = [COMPARED[name](student, theirs).item() for name in names]
        assert found[i].tolist() == pytest.approx(expected, rel=1e-4)


def test_the_teacher_is_left_as_it_was():
    teacher, data = make_task.teacher(), make_task.dataset()
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    images, labels = data.train.images[:20].float() / 255, data.train.labels[:20]
    signals(teacher, specs(TINY, 3), images, labels, get_args(Signal))
    assert all(torch.equal(before[name], value) for name, value in teacher.state_dict().items())


def test_zero_cost_scores_are_those_of_the_networks_as_remapped():
    teacher, data = make_task.teacher(), make_task.dataset()
    images, labels = data.train.images[:80].float() / 255, data.train.labels[:80]
    some = specs(TINY, 3)
    found = signals(teacher, some, images, labels, ("nwot", "kl", "zen"))
    alone = signals(teacher, some, images, labels, ("kl",))
    assert torch.equal(found[:, 1:2], alone)
    for i, spec in enumerate(some):
        net = remap(teacher, ResNet(TINY, spec, 3)).eval()
        expected = [ZERO_COST[n](net, images[:SCORED], labels[:SCORED]) for n in ("nwot", "zen")]
        assert found[i, [0, 2]].tolist() == pytest.approx(expected, rel=1e-5)
