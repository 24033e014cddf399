import copy

import numpy as np
import pytest
import torch

from dass_ray.zero_cost import diswot


def cosines(rows):
    return np.array([[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in rows] for a in rows])


def maps(net, features):
    """Class activation maps of all images, one row a class."""
    head = net.head.weight.detach().double().numpy()
    return np.stack([np.tensordot(row, features, (0, 1)).ravel() for row in head])


@torch.no_grad()
def test_by_its_definition(case):
    ours = copy.deepcopy(case.net).train().features(case.images).double().numpy()
    theirs = case.teacher.features(case.images).double().numpy()
    semantic = cosines(maps(case.net, ours)) - cosines(maps(case.teacher, theirs))
    flat = [f.reshape(len(f), -1) for f in (ours, theirs)]
    relation = cosines(flat[0]) - cosines(flat[1])
    expected = -((semantic**2).sum() + (relation**2).sum())
    found = diswot.score(case.net, case.teacher, case.images, case.labels)
    assert found == pytest.approx(expected, rel=1e-4)
