"""Progress of work inside Ray tasks, told to an actor that the driver asks now and then."""

from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from dass_ray.kd.train import OnEpoch


class Board:
    """The newest epoch of every training that is under way."""

    def __init__(self) -> None:
        self.newest: dict[str, tuple[int, int, float]] = {}

    def tell(self, name: str, done: int, total: int, accuracy: float) -> None:
        """Epochs done and in all, and the validation accuracy in [0, 1]."""
        self.newest[name] = (done, total, accuracy)

    def read(self) -> dict[str, tuple[int, int, float]]:
        """What was told last, by name."""
        return self.newest


def start() -> Any:  # noqa: ANN401 - Ray's actor handles have no type
    """A board without CPUs of its own, on the driver's node: any other may be taken away.

    One whose process was lost knows nothing, and goes on.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    task = {"max_restarts": -1, "max_task_retries": -1, "scheduling_strategy": here}
    return ray.remote(num_cpus=0, **task)(Board).remote()


def teller(board: Any, name: str) -> OnEpoch | None:  # noqa: ANN401
    """An epoch callback that tells the board; None without one."""
    if board is None:
        return None

    def tell(done: int, total: int, accuracy: float) -> None:
        board.tell.remote(name, done, total, accuracy)

    return tell
