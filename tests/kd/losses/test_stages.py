import torch

from dass_ray.kd.losses.stages import middle, pairs

from .make import normal


def test_stages_are_paired_from_the_last_one_back():
    ours, theirs = normal(3, 2, 4, 5, 5), normal(4, 2, 6, 5, 5)
    found = pairs(tuple(ours), tuple(theirs))
    assert len(found) == 3
    for i, (a, b) in enumerate(found):
        assert torch.equal(a, ours[i])
        assert torch.equal(b, theirs[i + 1])
    for (a, b), (c, d) in zip(pairs(tuple(theirs), tuple(ours)), found, strict=True):
        assert torch.equal(a, d)
        assert torch.equal(b, c)


def test_the_larger_map_is_averaged():
    ours, theirs = normal(2, 4, 2, 6), normal(2, 3, 4, 3)
    ((a, b),) = pairs([ours], [theirs])
    assert a.shape == (2, 4, 2, 3)
    assert b.shape == (2, 3, 2, 3)
    assert torch.allclose(a[..., 0], ours[..., :2].mean(dim=3))
    assert torch.allclose(b[:, :, 0], theirs[:, :, :2].mean(dim=2))


def test_middle():
    assert [middle(list(range(n))) for n in (1, 2, 3, 4, 5)] == [0, 0, 1, 1, 2]
