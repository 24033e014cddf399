"""Made-up latencies of students, and tables fitted to them. No timing."""

import numpy as np

from dass_ray.latency import LatencySetup
from dass_ray.models.latency_fit import features, fit

from .make import TINY

SETUP = LatencySetup(space=TINY, classes=3, device="abacus", students=24)


def students(space, n, seed=0):
    """`n` different students, or all that turn up."""
    drawn = space.unpack(space.sample(20 * n, np.random.default_rng(seed)))
    return list(dict.fromkeys(drawn))[:n]


def truth(space, seed=0):
    """Coefficients [1 + 4 S] of a made-up device: all of one size, the first of each stage 0.1."""
    rng = np.random.default_rng(seed)
    stages = rng.uniform(0.5, 1.5, (len(space.widths), 4)) * (0.1, 1e-5, 1e-7, 1e-7)
    return np.array([0.2, *stages.ravel()])


def times(space, specs, noise=0.0, seed=0):
    """Their ms [N] on the made-up device, with noise of this relative size."""
    ms = features(space, space.pack(specs)) @ truth(space)
    return ms * np.random.default_rng(seed).lognormal(0, noise, len(ms))


def measured(space=TINY, n=24, noise=0.0):
    """What `measure` would return on the made-up device."""
    specs = students(space, n)
    return list(zip(specs, times(space, specs, noise), strict=True))


def latency_table(setup=SETUP, noise=0.05, **changed):
    """A fitted table."""
    chosen = setup.model_copy(update=changed)
    return fit(chosen, measured(chosen.space, chosen.students, noise))
