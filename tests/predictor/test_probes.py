import numpy as np
import pytest
import torch

from dass_ray.models.stacked import Moments
from dass_ray.predictor.comparisons import COMPARED, Seen
from dass_ray.predictor.probes import Codes, Comparisons, Maps, Noise
from dass_ray.zero_cost import zen

from ..make import TINY
from ..models.make import images


def maps(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_maps_are_means_over_images():
    last = maps(2, 3, 4, 5, 5)
    whole, pooled = (Maps(images(TINY, 3), p).finish(last, None) for p in (False, True))
    assert torch.allclose(whole, last.mean(dim=1))
    assert torch.allclose(pooled, last.mean(dim=(1, 3, 4))[:, :, None, None], atol=1e-6)


@pytest.fixture
def comparisons(teacher):
    labels = torch.arange(6) % 3
    theirs = Seen((maps(6, 4, seed=7), maps(6, 8, seed=8)), maps(6, 3, seed=9), labels)
    return lambda *names: Comparisons(teacher, images(TINY, 6), labels, theirs, names)


@torch.no_grad()
def test_comparisons_are_of_each_student_alone(comparisons, teacher):
    probe = comparisons(*COMPARED)
    narrow, last = maps(2, 6, 3, 8, 8), maps(2, 6, 8, 4, 4, seed=1)
    early = probe.stage(0, narrow)
    assert early.shape == (2, 6 * 4)  # padded to the stage's full width
    found = probe.finish(last, early)
    for i in range(2):
        features = last[i].mean(dim=(2, 3))
        ours = Seen((narrow[i].mean(dim=(2, 3)), features), teacher.head(features), probe.labels)
        expected = [float(COMPARED[name](ours, probe.theirs)) for name in COMPARED]
        assert found[i].tolist() == pytest.approx(expected, rel=1e-4)


def test_only_the_stage_before_the_last_is_kept(comparisons):
    probe = comparisons("early_similarity", "kl")
    assert probe.stage(1, maps(2, 6, 8, 4, 4)) is None
    assert probe.stage(0, maps(2, 6, 3, 8, 8)) is not None
    assert comparisons("kl").stage(0, maps(2, 6, 3, 8, 8)) is None
    assert probe.group == 6


def test_codes_add_up_over_layers():
    x = images(TINY, 5)
    probe, layers = Codes(x), [maps(3, 5, 4, 6, 6), maps(3, 5, 7, 3, 3, seed=1)]
    found = probe.finish(layers[-1], sum(probe.normed(None, layer) for layer in layers))
    assert found.shape == (3, 1)
    for i in range(3):
        code = np.hstack([(layer[i] > 0).flatten(1).numpy() for layer in layers])
        agree = np.array([[np.sum(a == b) for b in code] for a in code], float)
        expected = np.linalg.slogdet(agree + np.eye(5))[1]
        assert found[i].item() == pytest.approx(expected, rel=1e-6)


def test_zero_is_off_as_for_a_relu():
    probe = Codes(images(TINY, 2))
    seen = probe.normed(None, torch.tensor([0.0, 1.0]).view(1, 2, 1, 1, 1))
    assert seen.tolist() == [[1, -1, -1, 1, 1]]


def test_noise_is_that_of_zen():
    probe = Noise.like(images(TINY, 3))
    before, after = zen.noise(images(TINY, 7, seed=5))  # whatever the images
    assert torch.equal(probe.images, torch.cat([before, after]))
    assert probe.group == zen.BATCH
    assert (after - before).std().item() == pytest.approx(zen.STEP, rel=0.05)


def test_spread_is_of_the_first_half():
    inputs = maps(2, 6, 4, 5, 5)
    probe = Noise(images(TINY, 6))
    found = probe.normed(Moments.of(inputs, 3), inputs)
    for i in range(2):
        variance = inputs[i, :3].transpose(0, 1).flatten(1).var(dim=1)
        assert found[i].item() == pytest.approx(variance.mean().sqrt().log().item(), rel=1e-4)


def test_moved_is_between_the_halves():
    last, seen = maps(2, 6, 4, 5, 5), torch.tensor([[3.0], [-1.0]])
    found = Noise(images(TINY, 6)).finish(last, seen)
    for i in range(2):
        distance = (last[i, :3] - last[i, 3:]).abs().sum() / 3
        assert found[i].item() == pytest.approx(distance.log().item() + seen[i].item(), rel=1e-5)


def test_what_does_not_move_has_a_finite_score():
    last = maps(1, 3, 4, 5, 5).repeat(1, 2, 1, 1, 1)
    found = Noise(images(TINY, 6)).finish(last, torch.zeros(1, 1))
    assert torch.isfinite(found).all()
