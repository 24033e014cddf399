"""Whether the cluster's head still answers this driver.

Ray itself lets a driver wait for a minute, and then ends its process with words for Ray's own
developers. A head with fault tolerance (Redis) may be away for half of that time.
"""

import os
import signal
import sys
import threading
import time
from typing import Self

import ray
from ray._private.worker import global_worker

POLL_S = 5.0
ANSWER_S = 5.0
RAYS_LIMIT_S = float(os.environ.get("RAY_gcs_rpc_server_reconnect_timeout_s", "60"))  # noqa: SIM112 - Ray writes it so
LOST_S = RAYS_LIMIT_S / 2  # without an answer, so that there is time to leave in order
LEAVE_S = RAYS_LIMIT_S / 6
BAD_INPUT = 2  # exit code
LOST = (
    "the head of the Ray cluster does not answer any more: once there is a new one, the same "
    "command goes on with what is missing"
)


class Heartbeat:
    """A context in whose time the head is asked now and then; `lost` says that it is gone.

    The main thread then gets a SIGTERM, as it does when a job is stopped. Where it does not hear of
    it, since it waits for the head inside of Ray, the process ends with the line LOST.
    """

    def __init__(self) -> None:
        self.lost, self.over = False, threading.Event()
        self.thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():  # another one gets no signals
            self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        if self.thread.is_alive():
            self.thread.join()

    def _watch(self) -> None:
        heard = time.monotonic()
        while not self.over.wait(POLL_S):
            if _answers():
                heard = time.monotonic()
            elif time.monotonic() - heard > LOST_S:
                self._end()

    def _end(self) -> None:
        self.lost = True
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
        if not self.over.wait(LEAVE_S):
            print(f"error: {LOST}", file=sys.stderr, flush=True)
            os._exit(BAD_INPUT)


def _answers() -> bool:
    try:
        global_worker.gcs_client.get_draining_nodes(timeout=ANSWER_S)
    except ray.exceptions.RpcError:
        return False
    return True
