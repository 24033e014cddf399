"""How long runs take, from those that were measured.

A run takes `a` seconds for each optimiser step and `b` for each FLOP of training; both are fitted
by least squares, so that runs of one recipe tell of another and small students of large ones.
Letters: N runs.
"""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from dass_ray.recipe import KDRecipe, TrainRecipe

A_GUESS = np.array([1e-2, 2e-11])  # s a step, s a FLOP, of a slow core: before any run is measured


def load(recipe: TrainRecipe, images: int, flops: NDArray[np.int64]) -> NDArray[np.float64]:
    """[N, 2]: optimiser steps and training FLOPs of students [N] on so many training images.

    A training step costs three forward passes.
    """
    epochs = recipe.epochs_for(images)
    steps = np.full(len(flops), epochs * max(1, images // recipe.batch_size), dtype=np.float64)
    return np.stack([steps, 3.0 * epochs * images * flops], axis=1)


@dataclass
class Pace:
    """Sums over measured runs: as small for a million of them as for one."""

    measured: int = 0
    squares: NDArray[np.float64] = field(default_factory=lambda: np.zeros((2, 2)))
    products: NDArray[np.float64] = field(default_factory=lambda: np.zeros(2))

    def add(self, loads: NDArray[np.float64], seconds: NDArray[np.float64]) -> None:
        """Learns from runs of these loads [N, 2] and seconds [N]."""
        self.measured += len(loads)
        self.squares += loads.T @ loads
        self.products += loads.T @ seconds

    def seconds(self, loads: NDArray[np.float64]) -> NDArray[np.float64]:
        """[N]: how long runs of these loads [N, 2] should take; a guess where none is measured."""
        expected: NDArray[np.float64] = loads @ self._coefficients()
        return expected

    def _coefficients(self) -> NDArray[np.float64]:
        """The best ones that are not negative."""
        if not self.measured:
            return A_GUESS
        scale = np.sqrt(np.maximum(np.diag(self.squares), 1e-300))  # FLOPs are large numbers
        squares = self.squares / np.outer(scale, scale)
        both = np.linalg.lstsq(squares, self.products / scale, rcond=1e-6)[0] / scale
        if (both >= 0).all():
            return np.asarray(both, dtype=np.float64)
        alone = self.products / np.diag(self.squares)
        gains = alone * self.products  # by how much each alone lowers the squared error
        return np.where(gains == gains.max(), alone, 0.0)


@dataclass(frozen=True)
class Measured:
    """The pace of a store's finished runs on the device that has the most of them."""

    device: str
    pace: Pace

    @classmethod
    def of(cls, table: pa.Table, images: dict[str, int]) -> Self | None:
        """From the ledger's columns dataset, recipe, flops, seconds, status and device.

        images: training images by data set; rows of others are left out. None without any row.
        """
        paces: dict[str, Pace] = {}
        rows = table.select(["dataset", "recipe", "device", "status", "flops", "seconds"])
        names = ["dataset", "recipe", "device", "status"]
        for group in rows.group_by(names).aggregate([("flops", "count")]).to_pylist():
            if group["dataset"] not in images or group["status"] != "ok":
                continue
            mask = np.ones(len(rows), dtype=np.bool_)
            for name in names:
                mask &= np.asarray(pc.equal(rows[name], group[name]))
            some = rows.filter(pa.array(mask))
            recipe = KDRecipe.model_validate_json(group["recipe"])
            loads = load(recipe, images[group["dataset"]], some["flops"].to_numpy())
            paces.setdefault(group["device"], Pace()).add(loads, some["seconds"].to_numpy())
        if not paces:
            return None
        device = max(paces, key=lambda name: (paces[name].measured, name))
        return cls(device, paces[device])
