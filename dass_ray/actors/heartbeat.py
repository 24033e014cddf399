"""Whether the cluster's head still answers this driver.

Ray itself lets a driver wait for a minute, writes a page and ends the process, where nothing can be
said to a person. A head with fault tolerance (Redis) is back before either happens.
"""

import signal
import threading
import time
from typing import Self

import ray
from ray._private.worker import global_worker

POLL_S = 5.0
ANSWER_S = 5.0
LOST_S = 35.0  # without an answer; Ray's own limit is 60, and to leave it takes 8


class Heartbeat:
    """A context in whose time the head is asked now and then; `lost` says that it is gone.

    The main thread then gets a SIGTERM, as it does when a job is stopped; another one could not.
    """

    def __init__(self) -> None:
        self.lost, self.over = False, threading.Event()
        self.thread = threading.Thread(target=self._watch, name="heartbeat", daemon=True)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
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
                self.lost = True
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGTERM)
                return


def _answers() -> bool:
    try:
        global_worker.gcs_client.get_draining_nodes(timeout=ANSWER_S)
    except ray.exceptions.RpcError:
        return False
    return True
