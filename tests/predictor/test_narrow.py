from typing import get_args

import pytest
import torch

from dass_ray.config import Encodings, Signal
from dass_ray.predictor.narrow import narrowed, widest

from . import make
from .make import TINY

WANTED = {
    "paper": make.PAPER,
    "default": Encodings(),
    "some signals": Encodings(architecture=False, signals=("rank", "kl")),
    "D": Encodings(architecture=True, dataset=True, signals=()),
    "S without T": Encodings(student=True),
    "T without S": Encodings(teacher=True),
}


@pytest.mark.parametrize("name", WANTED)
def test_equals_encoding_anew(name):
    want = WANTED[name]
    have = widest(want, get_args(Signal))
    found = narrowed(make.runs(encodings=have), TINY, have, want)
    expected = make.runs(encodings=want)
    for ours, theirs in (
        (found.students, expected.students), (found.task.teacher, expected.task.teacher)
    ):  # fmt: skip
        for field in ("maps", "vectors", "signals"):
            mine, other = getattr(ours, field), getattr(theirs, field)
            assert mine.shape == other.shape
            assert torch.allclose(mine, other, atol=1e-5)
    assert torch.equal(found.task.images, expected.task.images)


def test_other_encodings_are_not_cut_out():
    have = widest(make.PAPER, get_args(Signal))
    want = make.PAPER.model_copy(update={"probes": 2})
    with pytest.raises(AssertionError, match="only switches may differ"):
        narrowed(make.runs(encodings=have), TINY, have, want)
