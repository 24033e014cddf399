"""Decoding in threads of this machine."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from typing import TypeVar

from dass_ray.data.decode import decode_into
from dass_ray.data.source import EncodedImage, Piece, Pixels, Unreadable

T = TypeVar("T")
R = TypeVar("R")

_BATCH = 16  # images a job: a job costs 30 us, a small image 100 us
_WAITING = 4  # jobs in flight for each thread; with _BATCH this bounds the encoded bytes held


def in_threads(
    pieces: Sequence[Piece], out: Pixels, on_image: Callable[[], None]
) -> list[Unreadable]:
    """See Decoder. One thread for each core, 16 at the most."""

    def work(batch: list[tuple[int, EncodedImage]]) -> list[Unreadable | None]:
        return [decode_into(out[row], row, image) for row, image in batch]

    unreadable: list[Unreadable] = []
    images = chain.from_iterable(piece.numbered() for piece in pieces)
    for failures in _ahead(work, _batched(images)):
        for failure in failures:
            unreadable += [failure] if failure else []
            on_image()
    return unreadable


def _batched(
    items: Iterator[tuple[int, EncodedImage]],
) -> Iterator[list[tuple[int, EncodedImage]]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _ahead(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """The results in order, with a bounded number of items taken ahead."""
    threads = min(os.cpu_count() or 1, 16)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[R]] = deque()
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _WAITING * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
