"""Distance of teacher and student in what they attend to and in which images they hold alike.

Source: Dong, Li and Wei, "DisWOT", CVPR 2023. Semantic term: correlation matrices [K, K] of
class activation maps (the head's weights applied to the last map). Relation term: correlation
matrices [B, B] of the images' features. The score is minus the sum of both squared distances.
The student is the remapped one, with batch norms of the batch.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from dass_ray.models.batch_norm import of_the_batch
from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost.gradients import private


@torch.no_grad()
def score(net: StagedNetwork, teacher: StagedNetwork, images: Tensor, _labels: Tensor) -> float:
    """Of normalised images [B, 3, H, W]; at most 0."""
    ours, theirs = of_the_batch(private(net)), private(teacher)
    a, b = ours.features(images), theirs.features(images)
    semantic = _alike(_class_maps(ours, a)) - _alike(_class_maps(theirs, b))
    relation = _alike(a.flatten(1)) - _alike(b.flatten(1))
    return -float(semantic.square().sum() + relation.square().sum())


def _class_maps(net: StagedNetwork, maps: Tensor) -> Tensor:
    """[K, B H W]: each class's activation map of every image."""
    found = torch.einsum("kc,bchw->kbhw", net.head.weight, maps)
    return found.flatten(1)


def _alike(rows: Tensor) -> Tensor:
    """Cosines of all pairs of rows."""
    unit = F.normalize(rows.double(), dim=1)
    return unit @ unit.T
