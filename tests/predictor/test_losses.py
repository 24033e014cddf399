import math

import pytest
import torch

from dass_ray.predictor.losses import listwise, outer_loss, pairwise

TARGETS = torch.tensor([[0.0, 1.0, 3.0]])


def test_pairwise_by_hand():
    """Pairs (better, worse): 1>0 weighs 1, 2>0 weighs 3, 2>1 weighs 2."""
    out = torch.tensor([[[0.5, 0.0, 1.0]]])

    def loss(margin):
        return math.log1p(math.exp(-margin))

    expected = (1 * loss(-0.5) + 3 * loss(0.5) + 2 * loss(1.0)) / 6
    assert pairwise(out, TARGETS).item() == pytest.approx(expected, rel=1e-6)


def test_equal_targets_rank_nothing():
    assert pairwise(torch.randn(2, 1, 3), torch.ones(1, 3)).tolist() == [[0], [0]]


def test_listwise_by_hand():
    out = torch.tensor([[[0.5, 0.0, 1.0]]])
    real, ours = ([math.exp(v) for v in row] for row in ([0, 1, 3], [0.5, 0, 1]))
    expected = -sum(
        r / sum(real) * math.log(o / sum(ours)) for r, o in zip(real, ours, strict=True)
    )
    assert listwise(out, TARGETS).item() == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("loss", [pairwise, listwise])
def test_ranking_losses_ignore_the_level_and_reward_the_order(loss):
    right, wrong = torch.tensor([[[0.0, 1.0, 2.0]]]), torch.tensor([[[2.0, 1.0, 0.0]]])
    assert loss(right, TARGETS) < loss(wrong, TARGETS)
    assert loss(right + 5, TARGETS).item() == pytest.approx(loss(right, TARGETS).item(), rel=1e-5)


def test_members_and_tasks_are_apart():
    out = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0))
    targets = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    for ranking in ("none", "pairwise", "listwise"):
        found = outer_loss(out, targets, ranking, 0.5)
        assert found.shape == (2, 3)
        one = outer_loss(out[1:, 2:], targets[2:], ranking, 0.5)
        assert found[1, 2].item() == pytest.approx(one.item(), rel=1e-6)


def test_the_sum_of_both():
    out = torch.tensor([[[0.5, 0.0, 1.0]]])
    squared = (0.25 + 1 + 4) / 3
    assert outer_loss(out, TARGETS, "none", 9.0).item() == pytest.approx(squared)
    for ranking, loss in (("pairwise", pairwise), ("listwise", listwise)):
        expected = squared + 0.5 * loss(out, TARGETS).item()
        assert outer_loss(out, TARGETS, ranking, 0.5).item() == pytest.approx(expected)
