"""Images decoded by Ray Data on the nodes of a cluster.

A task decodes one piece of a split and hands it over in small blocks, which Ray Data holds back
where the driver is slower. So a worker holds one encoded image and a few blocks, and the driver the
blocks that have come.
"""

import logging
import pickle
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import ray.data
from ray.data.exceptions import ExecutionTimeoutError
from ray.exceptions import RayTaskError

from dass_ray.actors.nodes import cause, same_version, version
from dass_ray.actors.session import capacity
from dass_ray.data.decode import decode_into
from dass_ray.data.source import EncodedImage, Piece, Pixels, Unreadable
from dass_ray.errors import UserError

BLOCK = 4 * 2**20  # bytes of pixels
IDLE_S = 1800.0  # without any image, as while other jobs have all CPUs
Block = dict[str, Any]
"""Of n images: row [n], pixels [n,3,S,S]; name and reason [n], empty but for unreadable ones."""


def on_cluster(
    pieces: Sequence[Piece], out: Pixels, on_image: Callable[[], None]
) -> list[Unreadable]:
    """See Decoder; `session.ray_session` connects to the cluster.

    UserError where a node cannot read the source, or the cluster has no CPU to offer.
    """
    if capacity()["CPU"] < 1:
        raise UserError("no node of the Ray cluster offers a CPU; start one that does")
    seen = np.zeros(len(out), dtype=bool)
    unreadable: list[Unreadable] = []
    for block in _blocks(pieces, out.shape[-1]):
        new = ~seen[block["row"]]  # Ray Data may do again what a lost worker had handed over
        rows = block["row"][new]
        out[rows] = block["pixels"][new]
        seen[rows] = True
        told = zip(rows, block["name"][new], block["reason"][new], strict=True)
        unreadable += [Unreadable(int(row), name, reason) for row, name, reason in told if reason]
        for _ in rows:
            on_image()
    if not seen.all():
        raise RuntimeError("Ray Data has lost images")
    return sorted(unreadable)


def _blocks(pieces: Sequence[Piece], size: int) -> Iterator[Block]:
    """The blocks of all pieces, in the order in which they come."""
    _silence()
    items = [{"piece": pickle.dumps(piece)} for piece in pieces]
    data = ray.data.from_items(items, override_num_blocks=len(items))
    context = data.context
    context.enable_progress_bars = False
    context.target_max_block_size = BLOCK
    context.execution_no_progress_timeout_s = IDLE_S
    context.raise_original_map_exception = True
    count = max(1, BLOCK // (3 * size**2))
    given = (size, count, version())
    decoded = data.map_batches(_decoded, fn_args=given, batch_size=None, num_cpus=1)
    try:
        yield from decoded.iter_batches(batch_size=None)
    except RayTaskError as error:
        if isinstance(why := cause(error), UserError):
            raise UserError(str(why).splitlines()[0]) from None  # Ray Data adds some lines
        raise
    except ExecutionTimeoutError:
        raise UserError(
            f"the cluster has decoded no image for {IDLE_S / 60:.0f} minutes: see in its dashboard "
            "whether it has a free CPU, and whether workers run out of memory"
        ) from None


def _silence() -> None:
    """Ray Data's words go into its log files only: the terminal has our progress."""
    for handler in logging.getLogger("ray.data").handlers:
        if handler.name == "console":
            handler.setLevel(logging.CRITICAL + 1)


def _decoded(batch: Block, size: int, count: int, drivers: str) -> Iterator[Block]:
    """What a task does: its pieces in blocks of `count` images. drivers: the driver's version."""
    same_version(drivers)
    with _on_this_node():
        for piece in batch["piece"]:
            images = pickle.loads(piece).numbered()
            while some := [_row(row, image, size) for row, image in islice(images, count)]:
                yield {name: np.array([one[name] for one in some]) for name in some[0]}


def _row(row: int, image: EncodedImage, size: int) -> dict[str, Any]:
    """One image of a block."""
    pixels = np.zeros((3, size, size), dtype=np.uint8)
    failure = decode_into(pixels, row, image)
    name, reason = (failure.name, failure.reason) if failure else ("", "")
    return {"row": row, "pixels": pixels, "name": name, "reason": reason}


@contextmanager
def _on_this_node() -> Iterator[None]:
    """A UserError that names the node where a file of the source cannot be read."""
    node, place = ray.util.get_node_ip_address(), "where all nodes see it under the same path"
    try:
        yield
    except OSError as error:
        what = f"cannot read {error.filename or 'the source'}: {error.strerror or error}"
        raise UserError(f"node {node} {what}; put the source {place}") from None
    except UserError as error:
        raise UserError(f"node {node}: {error}, or put the source {place}") from None
