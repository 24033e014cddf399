"""The share of a GPU that one KD run asks for, by the memory that a run takes there.

In Ray a share belongs to the task and is the same on every node. So it is the one that fits all
types of GPU that the cluster has now: a larger GPU does no more runs at once than the smallest.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import ray
import torch

from dass_ray.actors import kd_worker
from dass_ray.errors import UserError
from dass_ray.kd.distill import distil
from dass_ray.records import Run
from dass_ray.space import Spec

UNITS = 10_000  # of a resource, in which Ray counts
MARGIN = 1.2  # other students' shapes leave other gaps in the allocator's blocks
SET_IT = "set resources.gpus_per_run to a number"


@dataclass(frozen=True)
class Memory:
    """Bytes of a GPU that one run takes at its peak, and of the whole GPU."""

    peak: int
    total: int


def share(found: Sequence[Memory]) -> float:
    """The share by which as many runs as fit into each of the GPUs fill it; 1 where one fits."""
    runs = max(1, min(int(one.total / (MARGIN * one.peak)) for one in found))
    parts = UNITS // runs
    return (parts if UNITS // parts == runs else parts + 1) / UNITS


def measured(uri: str, run: Run, cpus: float) -> float:
    """Measures a run alone on one GPU of each type in the cluster, and gives the share.

    run: the one that needs most. UserError where workers see no GPU or the run does not fit.
    """
    task = ray.remote(num_cpus=cpus, num_gpus=1)(measure)
    refs = [task.options(resources=one).remote(uri, run) for one in types(ray.nodes())]
    try:
        return share(ray.get(refs))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, UserError):
            raise error.cause from None
        raise


def types(nodes: Sequence[dict[str, object]]) -> list[dict[str, float]]:
    """For each type of GPU among Ray's nodes, the resources that bring a task there.

    Where no node has a GPU yet, or Ray does not know its type, any will do.
    """
    names = {
        name
        for node in nodes
        if node["Alive"] and isinstance(has := node["Resources"], dict) and has.get("GPU")
        for name in has
        if name.startswith("accelerator_type:")
    }
    return [{name: 0.001} for name in sorted(names)] or [{}]


def measure(uri: str, run: Run) -> Memory:
    """One short epoch of a run on the GPU of this process, which Ray gave to it alone.

    The peak is what all of the process takes: also the context of CUDA and the allocator's gaps,
    which `torch.cuda.max_memory_allocated` leaves out and every worker process has.
    """
    if not torch.cuda.is_available():
        raise UserError(f"PyTorch sees no GPU on a node that offers one to Ray: {SET_IT}")
    recipe = run.recipe.model_copy(update={"epochs": 1, "min_steps": 0, "views": 1})
    card = run.teacher
    try:
        data = kd_worker.load_data(uri, card.dataset, card.space.image_size)
        teacher = kd_worker.load_teacher(uri, card).to(kd_worker.device())
        labels = kd_worker.make_soft_labels(uri, card, recipe, data, teacher).unpack()
        images = data.unpack().to(kd_worker.device())
        distil(Spec.parse(run.spec), teacher, labels, images, recipe, run.seed)
    except torch.OutOfMemoryError:
        name = torch.cuda.get_device_name()
        raise UserError(
            f"a run of {run.spec} does not fit into the memory of a {name}: lower kd.batch_size, "
            "or use nodes with larger GPUs"
        ) from None
    free, total = torch.cuda.mem_get_info()
    given_back = torch.cuda.max_memory_reserved() - torch.cuda.memory_reserved()
    return Memory(total - free + given_back, total)
