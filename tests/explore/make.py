"""Made-up scores of students, cheap and smooth, and candidates that have them."""

import numpy as np

from dass_ray.explore.archive import Candidates
from dass_ray.limits import Costs
from dass_ray.space import MICRO, Space

from ..make import CLASSES, TINY

SMALL = Space(name="small", image_size=8, widths=(8, 8, 16), strides=(1, 2, 1), max_depth=4)
COSTS = {space.name: Costs(space, len(CLASSES)) for space in (TINY, SMALL, MICRO)}


def accuracy(space, specs):
    """Made up [N]: every block has a width that suits it best, deep stages are worth a little."""
    widths = specs / np.asarray(space.widths)[:, None]
    wanted = np.linspace(0.5, 1, space.max_depth)[::-1]
    miss = np.where(specs > 0, (widths - wanted) ** 2, 0.04).sum(axis=(1, 2))
    return 0.4 + 0.5 * np.exp(-1.5 * miss)


def candidates(space, specs, table=None):
    """Students [N, S, D] with their made-up accuracies."""
    costs = Costs(space, len(CLASSES), table)(specs)
    return Candidates(specs, accuracy(space, specs), np.full(len(specs), 0.01), costs)


def drawn(space, n, seed=0):
    return space.sample(n, np.random.default_rng(seed))
