"""`textures:<seed>`: procedural classification tasks, a different one for every seed.

A class is a mixture of two textures and a palette. The seed draws the number of classes, how much
the images of a class vary, and which kinds of textures prevail, so tasks differ in difficulty and
in what has to be told apart. Everything is computed in float64 and rounded to 8 bits, so that
processors that differ in the last bit of a cosine still make the same images.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float64]  # [n,S,S], about -1..1
Generator = np.random.Generator

PER_CLASS = 150
SIZE = 16  # px
CLASSES = (5, 20)  # fewest and most
_WAVES = 8  # in a noise field


@dataclass(frozen=True)
class Texture:
    """One component of a class. It is stretched and turned a little in every image."""

    kind: int  # index into KINDS
    frequency: float  # cycles in an image
    angle: float  # radians in 0..pi/2, so that a mirrored grating is not another class's


@dataclass(frozen=True)
class TextureClass:
    """What the images of a class have in common."""

    first: Texture
    second: Texture
    share: float  # of the first texture
    palette: npt.NDArray[np.float64]  # [2,3], RGB in 0..1 of field values -1 and 1


@dataclass(frozen=True)
class Nuisance:
    """How much the images of a class vary.

    The ranges in `_nuisance` were set by trial: a ResNet of 4 blocks (widths 8-16-32-64), trained
    for 15 epochs once for each of the seeds 0-19 (PyTorch 2.13 on a CPU), is right on 50-96% of
    the validation images, in the median on 83%.
    """

    noise: float  # standard deviation of each pixel, of the range 0..1
    jitter: float  # of frequency (relative) and angle (radians)
    lighting: float  # of brightness and contrast
    clutter: float  # largest share of another class's texture


@dataclass(frozen=True)
class Task:
    """What a seed stands for."""

    members: list[TextureClass]
    nuisance: Nuisance


def textures(
    seed: int, classes: int | None = None, per_class: int = PER_CLASS, size: int = SIZE
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Images uint8 [N,3,size,size] and labels int64 [N] of a task, N = classes * per_class.

    classes: two or more; by default drawn from the seed, 5 to 20.
    """
    task = _task(np.random.default_rng([seed, 0]), classes)
    labels = np.arange(len(task.members), dtype=np.int64)
    images = [
        _images(task, label, np.random.default_rng([seed, 1, label]), per_class, size)
        for label in labels.tolist()
    ]
    return np.concatenate(images), np.repeat(labels, per_class)


def _task(rng: Generator, classes: int | None) -> Task:
    drawn = int(rng.integers(CLASSES[0], CLASSES[1] + 1))
    nuisance = _nuisance(rng.random())
    preference = rng.dirichlet(np.ones(len(KINDS)))
    palettes = _palettes(rng, count=int(rng.integers(2, 5)))
    count = drawn if classes is None else classes
    return Task([_texture_class(rng, preference, palettes) for _ in range(count)], nuisance)


def _nuisance(difficulty: float) -> Nuisance:
    return Nuisance(
        noise=0.05 + 0.06 * difficulty,
        jitter=0.08 + 0.07 * difficulty,
        lighting=0.15 + 0.1 * difficulty,
        clutter=0.35 + 0.25 * difficulty,
    )


def _palettes(rng: Generator, count: int) -> npt.NDArray[np.float64]:
    """[count,2,3]: two colours, one of them darker in each channel, so that all are visible."""
    dark, bright = rng.uniform(0.15, 0.4, (count, 3)), rng.uniform(0.6, 0.85, (count, 3))
    swap = rng.random((count, 3)) < 0.5
    return np.stack([np.where(swap, dark, bright), np.where(swap, bright, dark)], axis=1)


def _texture_class(
    rng: Generator, preference: npt.NDArray[np.float64], palettes: npt.NDArray[np.float64]
) -> TextureClass:
    first, second = (
        Texture(
            kind=int(rng.choice(len(KINDS), p=preference)),
            frequency=float(rng.uniform(1.0, 4.5)),
            angle=float(rng.uniform(0, np.pi / 2)),
        )
        for _ in range(2)
    )
    palette = palettes[rng.integers(len(palettes))]
    return TextureClass(first, second, float(rng.uniform(0.5, 0.9)), palette)


def _images(task: Task, label: int, rng: Generator, count: int, size: int) -> npt.NDArray[np.uint8]:
    """The images of one class: uint8 [count,3,size,size]."""
    own, nuisance = task.members[label], task.nuisance
    field = own.share * _field(rng, own.first, nuisance.jitter, count, size)
    field += (1 - own.share) * _field(rng, own.second, nuisance.jitter, count, size)
    strength = rng.uniform(0, nuisance.clutter, (count, 1, 1))
    field = (1 - strength) * field + strength * _clutter(task, label, rng, count, size)
    low, high = own.palette[0][:, None, None], own.palette[1][:, None, None]
    images = low + (high - low) * (field[:, None] + 1) / 2
    contrast = 1 + nuisance.lighting * rng.uniform(-1, 1, (count, 1, 1, 1))
    brightness = nuisance.lighting * rng.uniform(-1, 1, (count, 3, 1, 1))
    images = 0.5 + contrast * (images - 0.5) + brightness
    images += nuisance.noise * rng.standard_normal(images.shape)
    levels: npt.NDArray[np.uint8] = np.rint(255 * images.clip(0, 1)).astype(np.uint8)
    return levels


def _clutter(task: Task, label: int, rng: Generator, count: int, size: int) -> Field:
    """Textures of other classes: [count,size,size], a class for each quarter of the images."""
    others = rng.permutation([i for i in range(len(task.members)) if i != label])
    counts = [(count + quarter) // 4 for quarter in range(4)]
    fields = [
        _field(rng, task.members[other].first, task.nuisance.jitter, some, size)
        for other, some in zip(np.resize(others, 4), counts, strict=True)
    ]
    return np.concatenate(fields)


def _field(rng: Generator, texture: Texture, jitter: float, count: int, size: int) -> Field:
    """One texture in `count` images: [count,size,size], at random phases or positions."""
    frequency = texture.frequency * (1 + jitter * rng.uniform(-1, 1, (count, 1, 1)))
    angle = texture.angle + jitter * rng.uniform(-1, 1, (count, 1, 1))
    y, x = np.mgrid[0:size, 0:size] / size
    along = frequency * (x * np.cos(angle) + y * np.sin(angle))
    across = frequency * (y * np.cos(angle) - x * np.sin(angle))
    return KINDS[texture.kind](rng, along, across)


def _wave(cycles: Field) -> Field:
    field: Field = np.cos(2 * np.pi * cycles)
    return field


def _phases(rng: Generator, count: int) -> Field:
    return rng.random((count, 1, 1))


def _grating(rng: Generator, along: Field, across: Field) -> Field:
    return _wave(along + _phases(rng, len(along)))


def _checker(rng: Generator, along: Field, across: Field) -> Field:
    field: Field = np.sign(_grating(rng, along, across) * _grating(rng, across, along))
    return field


def _spectrum(rng: Generator, along: Field, across: Field) -> Field:
    """Isotropic band-limited noise: waves of one length in all directions."""
    field: Field = np.zeros_like(along)
    for _ in range(_WAVES):
        turn = 2 * np.pi * _phases(rng, len(along))
        direction = along * np.cos(turn) + across * np.sin(turn)
        field += _wave(direction + _phases(rng, len(along)))
    field /= np.sqrt(_WAVES)
    return field.clip(-1, 1)


def _blobs(rng: Generator, along: Field, across: Field) -> Field:
    """Elongated spots, one somewhere in each cell of a grid: the frequency sets their size."""
    shift_a, shift_b = _phases(rng, len(along)), _phases(rng, len(along))
    a, b = (along + shift_a) % 1 - 0.5, (across / 2 + shift_b) % 1 - 0.5
    field: Field = 2 * np.exp(-(a**2 + b**2) / 0.08) - 1
    return field


KINDS: tuple[Callable[[Generator, Field, Field], Field], ...] = (
    _grating,
    _checker,
    _spectrum,
    _blobs,
)
