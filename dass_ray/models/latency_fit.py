"""Fits a table of blocks to measured students: non-negative least squares of relative errors.

What a block costs is linear, in each stage, in what its family says of its work.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.stats import spearmanr

from dass_ray import __version__
from dass_ray.errors import UserError
from dass_ray.latency import (
    LEAST,
    BlockTime,
    LatencyErrors,
    LatencySetup,
    LatencyTable,
    MeasuredStudent,
)
from dass_ray.space import Space, Spec, Specs

Reals = NDArray[np.float64]


def fit(setup: LatencySetup, measured: Sequence[tuple[Spec, float]]) -> LatencyTable:
    """The table of measured students (ms), with its errors on students left out one by one.

    UserError with fewer than `LEAST` students.
    """
    if len(measured) < LEAST:
        raise UserError(f"a latency table needs at least {LEAST} students, not {len(measured)}")
    specs, ms = [spec for spec, _ in measured], np.array([ms for _, ms in measured])
    rows = features(setup.space, setup.space.pack(specs))
    found, predicted = coefficients(rows, ms), left_out(rows, ms)
    return LatencyTable(
        **setup.model_dump(exclude={"space"}),
        space=setup.space,
        base=float(found[0]),
        blocks=tuple(_blocks(setup.space, found[1:].reshape(len(setup.space.widths), -1))),
        measured=tuple(
            MeasuredStudent(str(spec), float(m), float(p))
            for spec, m, p in zip(specs, ms, predicted, strict=True)
        ),
        errors=errors(ms, predicted),
        torch_version=torch.__version__,
        code_version=__version__,
    )


def features(space: Space, specs: Specs) -> Reals:
    """[N, 1 + W S]: one, then sums over each stage's blocks of `Family.work`."""
    blocks, entering = space.decoded(specs), space.inputs(specs)
    first = np.broadcast_to(np.arange(specs.shape[2]) == 0, (len(specs), specs.shape[2]))
    stages = [
        space.family.work(space, s, first, entering[:, s], np.moveaxis(blocks[:, :, s], 1, 0)).sum(
            axis=1
        )
        for s in range(len(space.widths))
    ]
    return np.concatenate([np.ones((len(specs), 1)), *stages], axis=1)


def coefficients(rows: Reals, ms: Reals) -> Reals:
    """[F], none negative: of least squared relative error of `rows` [N, F] against `ms` [N]."""
    weighted = rows / ms[:, None]
    scale = weighted.max(axis=0)
    found, _ = nnls(weighted / scale, np.ones(len(ms)), maxiter=100 * len(scale))
    solved: Reals = found / scale
    return solved


def left_out(rows: Reals, ms: Reals) -> Reals:
    """[N]: each student's ms, predicted by a fit to all the others."""
    return np.array(
        [
            row @ coefficients(np.delete(rows, i, axis=0), np.delete(ms, i))
            for i, row in enumerate(rows)
        ]
    )


def errors(ms: Reals, predicted: Reals) -> LatencyErrors:
    """The errors of predictions [N] against measurements [N], both ms."""
    relative = abs(predicted / ms - 1)
    return LatencyErrors(
        median=float(np.median(relative)),
        p90=float(np.quantile(relative, 0.9)),
        spearman=float(spearmanr(predicted, ms).statistic),
    )


def _blocks(space: Space, found: Reals) -> list[BlockTime]:
    """Every block that a student can have, with the ms that coefficients [S, W] give it."""
    out = []
    for s, choice in enumerate(space.choices):
        before = space.block_widths[s - 1] if s else ()
        pairs = [(True, i, code) for code in choice for i in before or (space.stem_width(code),)]
        if space.max_depth > 1:
            pairs += [(False, i, code) for code in choice for i in space.block_widths[s]]
        first, entering, kinds = (np.array(column) for column in zip(*pairs, strict=True))
        blocks = np.moveaxis(space.decoded(kinds), 1, 0)
        ms = space.family.work(space, s, first, entering, blocks) @ found[s]
        out += [BlockTime(s + 1, *pair, t) for pair, t in zip(pairs, ms.tolist(), strict=True)]
    return out
