"""Parameter remapping: a student starts from a part of its teacher's weights.

Source: Lee et al., ICLR 2023 (after FNA, Fang et al., ICLR 2020). The k-th block of a student's
stage takes a block of the teacher's stage, cut to the student's channels:
`first`: the first blocks, their first channels; `last`: the last blocks, their last channels;
`uniform`: the first blocks, every s-th channel, s = floor(teacher's channels / student's).
"""

from typing import Literal, TypeVar

import torch
from torch import Tensor, nn

from dass_ray.models.network import StagedNetwork

N = TypeVar("N", bound=StagedNetwork)
Remap = Literal["first", "last", "uniform"]


@torch.no_grad()
def remap(teacher: StagedNetwork, student: N, how: Remap = "first") -> N:
    """Copies the teacher's weights into the student, in place, and returns the student.

    The head is copied whole: both networks end in the same width and number of classes.
    """
    assert teacher.space == student.space
    assert teacher.classes == student.classes
    for name, ours in student.named_children():
        if name != "stages":
            _copy(teacher.get_submodule(name), ours, how)
    for source, target in zip(teacher.blocks, student.blocks, strict=True):
        skip = len(source) - len(target) if how == "last" else 0
        for theirs, mine in zip(source[skip:], target, strict=False):
            _copy(theirs, mine, how)
    return student


def _copy(source: nn.Module, target: nn.Module, how: Remap) -> None:
    """Cuts every tensor of a module to the size that it has in the other one."""
    theirs = source.state_dict()
    for name, ours in target.state_dict().items():
        cut = theirs[name]
        for dim, (total, kept) in enumerate(zip(cut.shape, ours.shape, strict=True)):
            if kept != total:  # more: a `last` block whose place in the student has wider inputs
                cut = cut.index_select(dim, channels(total, kept, how).to(cut.device) % total)
        ours.copy_(cut)


def channels(total: int, kept: int, how: Remap) -> Tensor:
    """Indices [kept] of the channels that a student takes out of `total`."""
    if how == "uniform":
        return torch.arange(0, total, total // kept)[:kept]
    start = total - kept if how == "last" else 0
    return torch.arange(start, start + kept)
