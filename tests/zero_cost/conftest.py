from dataclasses import dataclass

import pytest
import torch

from dass_ray.data.augment import normalise
from dass_ray.models.remap import remap
from dass_ray.models.resnet import ResNet

from .. import make_task
from ..make import TINY, specs

B = 12


@dataclass(frozen=True)
class Case:
    """A remapped student with its teacher and a batch of its task."""

    net: ResNet
    teacher: ResNet
    images: torch.Tensor
    labels: torch.Tensor


@pytest.fixture
def case():
    teacher, data = make_task.teacher(), make_task.dataset()
    net = remap(teacher, ResNet(TINY, specs(TINY, 1)[0], 3)).eval()
    images = normalise(data.train.images[:B], data.mean, data.std)
    return Case(net, teacher, images, data.train.labels[:B])
