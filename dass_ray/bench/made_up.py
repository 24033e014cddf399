"""Made-up finished runs that look like real ones: the store does not know better."""

import hashlib
from collections.abc import Iterator

import numpy as np

from dass_ray.recipe import DISTILL
from dass_ray.records import RunRow
from dass_ray.space import MICRO

SHARD = 1000  # runs of one part
DATASETS, TEACHERS, EPOCHS = 8, 4, 12
RECIPE, SPACE = DISTILL["micro"].model_dump_json(), MICRO.model_dump_json()


def key(number: int) -> str:
    """The key of a run of the plan: a hash, as real ones are."""
    return hashlib.sha256(b"run %d" % number).hexdigest()


def shards(start: int, stop: int) -> Iterator[list[RunRow]]:
    """The rows of the runs from `start` to below `stop`, shard by shard, each of one task."""
    for first in range(start, stop, SHARD):
        yield _shard(range(first, min(first + SHARD, stop)))


def _shard(numbers: range) -> list[RunRow]:
    task = numbers.start // SHARD % (DATASETS * TEACHERS)
    dataset, teacher = f"data-{task // TEACHERS}", hashlib.sha256(b"%d" % task).hexdigest()
    rng = np.random.default_rng(numbers.start)
    specs = MICRO.unpack(MICRO.sample(len(numbers), rng))
    curves = np.sort(rng.random((len(numbers), EPOCHS)), axis=1).round(4).tolist()
    return [
        RunRow(
            key=key(number), status="ok", error="", dataset=dataset,
            dataset_fingerprint=teacher[::-1], teacher=teacher[:16], teacher_fingerprint=teacher,
            teacher_validation=0.81, teacher_test=0.8, classes=10, space=SPACE, spec=str(spec),
            params=100_000 + number % 1000, flops=10_000_000 + number, recipe=RECIPE, seed=0,
            validation=curve[-1], validation_best=curve[-1], test=curve[-2], curve=curve,
            seconds=1.5 + curve[0], device="cpu", host="node-1", started_at=1.8e9 + number,
            attempt=f"{number:032x}", code_version="0.1.0",
        )
        for number, spec, curve in zip(numbers, specs, curves, strict=True)
    ]  # fmt: skip
