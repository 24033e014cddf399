"""Layer 0: what goes on, told to TensorBoard, MLflow or Weights & Biases beside the store.

The driver tells it, so workers need none of their packages. A tracker shows and the store knows:
what a call finds done in the store is not told again.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec

from dass_ray.config import Tracking
from dass_ray.errors import UserError
from dass_ray.tracking.base import Facts, Tracker
from dass_ray.tracking.job import Job, telling

# A tracker's package is imported where it is used: the extras may be missing, and take seconds.
# ruff: noqa: PLC0415

PACKAGES = {"tensorboard": "tensorboardX", "mlflow": "mlflow", "wandb": "wandb"}


def chosen(track: Sequence[Tracking] | None) -> list[Tracking]:
    """The trackers of a search's config: without any, TensorBoard where it is installed.

    UserError where one's package is missing.
    """
    if track is None:
        return ["tensorboard"] if find_spec("tensorboard") else []
    for name in track:
        if find_spec(PACKAGES[name]) is None:
            raise UserError(f"track: {name} needs its package: pip install 'dass-ray[{name}]'")
    return list(dict.fromkeys(track))


@contextmanager
def job(track: Sequence[Tracking], folder: str, group: str, facts: Facts) -> Iterator[Job]:
    """A job to be told to these trackers, under a name; folder: of TensorBoard's files.

    UserError where a tracker cannot be reached.
    """
    found = Job({name: _opened(name, folder, group) for name in track}, facts)
    ok = False
    try:
        yield found
        ok = True
    finally:
        found.end(ok=ok)


def _opened(name: Tracking, folder: str, group: str) -> Tracker:
    with telling(name):
        if name == "tensorboard":
            from dass_ray.tracking.tensorboard import TensorBoard

            return TensorBoard(folder, group)
        if name == "mlflow":
            from dass_ray.tracking.mlflow import MLflow

            return MLflow(group)
        from dass_ray.tracking.wandb import Wandb

        return Wandb(group)
