"""The finished runs of one task, as a predictor learns from them and is judged by them."""

from dataclasses import dataclass

from torch import Tensor

from dass_ray.cost import Cost
from dass_ray.predictor.encode import Students, Task


@dataclass(frozen=True)
class TaskRuns:
    """Inputs and costs of N students, and accuracies [N] in [0, 1], means over KD seeds."""

    name: str
    task: Task
    students: Students
    accuracy: Tensor
    costs: Cost
