"""Whether this worker's node was told to go: a spot notice, a drain, SIGTERM of its `ray start`.

Ray starts nothing new on such a node, but lets what runs there go on until the node is taken away.
"""

import functools
import time

import ray
from ray._private.worker import global_worker

POLL_S = 5.0
ANSWER_S = 2.0


class Notice:
    """Asks Ray's head now and then; one that has come is never taken back."""

    def __init__(self) -> None:
        self.come, self.asked_at = False, -POLL_S

    def __call__(self) -> bool:
        """Whether it has come. Asks at most every POLL_S, so that epochs may ask."""
        if not self.come and time.monotonic() - self.asked_at >= POLL_S:
            self.come = ray.is_initialized() and _draining()
            self.asked_at = time.monotonic()
        return self.come


@functools.cache
def here() -> Notice:
    """This process's."""
    return Notice()


def _draining() -> bool:
    """Not public, but what Ray's own Serve, Data and Train ask."""
    try:
        nodes = global_worker.gcs_client.get_draining_nodes(timeout=ANSWER_S)
    except ray.exceptions.RpcError:
        return False  # the head is gone or out of reach, and so is its notice
    return ray.get_runtime_context().get_node_id() in nodes
