"""All scores of an untrained student, by the name that tables show."""

from collections.abc import Callable

from torch import Tensor

from dass_ray.models.network import StagedNetwork
from dass_ray.zero_cost import (
    diswot,
    epe_nas,
    fisher,
    grad_norm,
    grasp,
    jacov,
    l2_norm,
    nwot,
    plain,
    snip,
    synflow,
    untrained,
    zen,
)

Score = Callable[[StagedNetwork, StagedNetwork, Tensor, Tensor], float]
"""(student, teacher, normalised images [B, 3, H, W], labels [B]) -> score, higher is better."""


def _alone(score: Callable[[StagedNetwork, Tensor, Tensor], float]) -> Score:
    """A score that needs no teacher."""
    return lambda net, _teacher, images, labels: score(net, images, labels)


SCORES: dict[str, Score] = {
    "grad_norm": _alone(grad_norm.score),
    "l2_norm": _alone(l2_norm.score),
    "plain": _alone(plain.score),
    "snip": _alone(snip.score),
    "grasp": _alone(grasp.score),
    "fisher": _alone(fisher.score),
    "synflow": _alone(synflow.score),
    "jacov": _alone(jacov.score),
    "epe_nas": _alone(epe_nas.score),
    "nwot": _alone(nwot.score),
    "zen": _alone(zen.score),
    "DisWOT": diswot.score,
    "untrained accuracy": _alone(untrained.score),
    "untrained accuracy, batch norms anew": _alone(untrained.with_batch_norms_of_the_batch),
}
