"""Accuracy, size and latency of every written form, side by side."""

from collections.abc import Sequence
from functools import partial
from itertools import product

from dass_ray.data.dataset import Dataset
from dass_ray.export.card import Accuracy, FormatCard, Timing
from dass_ray.export.formats import Format, first
from dass_ray.export.parity import BATCHES, Parity
from dass_ray.models.latency import alternating
from dass_ray.watch import Watcher


def measured(
    found: Sequence[tuple[Format, tuple[Parity, ...]]],
    data: Dataset,
    threads: int,
    watcher: Watcher,
) -> tuple[FormatCard, ...]:
    """The cards of forms; accuracy is of all images, latency of `BATCHES` validation images."""
    forms = [form for form, _ in found]
    watcher.phase("classifying validation and test images", len(forms))
    accuracies = []
    for done, form in enumerate(forms, 1):
        accuracies.append(Accuracy(
            validation=form.accuracy(data.validation), test=form.accuracy(data.test)
        ))  # fmt: skip
        watcher.step(done, form.name)
    watcher.phase("timing", 1)
    timings = _timings(forms, data, threads)
    watcher.step(1, "")
    return tuple(
        FormatCard(
            name=form.name,
            file=form.file.name,
            bytes=form.file.stat().st_size,
            accuracy=accuracy,
            parity=parity,
            timings=tuple(times),
        )
        for (form, parity), accuracy, times in zip(found, accuracies, timings, strict=True)
    )


def _timings(forms: Sequence[Format], data: Dataset, threads: int) -> list[list[Timing]]:
    """[forms][batches]; all take turns."""
    pairs = list(product(forms, BATCHES))
    inputs = [form.prepare(first(data.validation.images, batch)) for form, batch in pairs]
    calls = [partial(form.run, some) for (form, _), some in zip(pairs, inputs, strict=True)]
    ms = alternating(calls, threads)
    timings = [Timing(batch=batch, ms=one) for (_, batch), one in zip(pairs, ms, strict=True)]
    return [timings[i : i + len(BATCHES)] for i in range(0, len(timings), len(BATCHES))]
