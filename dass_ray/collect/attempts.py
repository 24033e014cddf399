"""Which runs are tried again after their worker was lost, and which have crashed too often.

Ray's own retries know neither how often a run has crashed nor which run of a shard it was.
"""

from collections import Counter, deque
from collections.abc import Sequence

from dass_ray.records import Run

MOST = 3  # crashes of one run, each alone in its task


class Attempts:
    """What is to be submitted again, before anything new."""

    def __init__(self) -> None:
        self.again: deque[Sequence[Run]] = deque()
        self.crashes: Counter[str] = Counter()

    def crashed(self, shard: Sequence[Run]) -> Run | None:
        """After a worker process crashed in a shard; gives the run that has crashed too often.

        Which of several runs it was is not known, so that each is tried alone.
        """
        if len(shard) > 1:
            self.again.extend([run] for run in shard)
            return None
        (run,) = shard
        self.crashes[run.key] += 1
        if self.crashes[run.key] >= MOST:
            return run
        self.again.append(shard)
        return None

    def lost(self, shard: Sequence[Run]) -> None:
        """After a node died or could not work, or what they needed was lost: no fault of runs."""
        self.again.append(shard)
