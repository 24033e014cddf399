"""Meta-datasets."""

from typing import Literal

from pydantic import Field

from dass_ray.config.base import StoreConfig
from dass_ray.config.fields import KDFields, SpaceField, TeacherField, Tracking
from dass_ray.config.teacher import TeacherConfig
from dass_ray.network import Network
from dass_ray.recipe import DISTILL, TEACHERS
from dass_ray.space import MICRO


class CollectConfig(StoreConfig):
    """A meta-dataset: students of many tasks, distilled for real."""

    datasets: tuple[str, ...] = Field(min_length=1)
    """Names in the store, or built-in ones."""
    space: SpaceField = MICRO
    """A preset (micro, paper), or a space of your own."""
    teacher: TeacherField = TEACHERS["micro"]
    """Recipe of the teachers: a preset, or changes to one."""
    network: Network | None = None
    """A network from elsewhere to be every teacher; None: the largest one of the space."""
    teacher_seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """A teacher is trained for each data set and each of these."""
    near_chance: Literal["leave out", "distil"] = "leave out"
    """What is done with the students of a teacher that stayed near chance."""
    kd: KDFields = (DISTILL["micro"],)
    """One recipe, or a list of them."""
    kd_seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """Every student is distilled with each of these."""
    students: int = Field(default=30, ge=1)
    """Students of each task."""
    common: float = Field(default=0.5, ge=0, le=1)
    """Share of the students that all tasks have in common."""
    sampling: Literal["cost", "widths"] = "cost"
    """Students lie evenly over log FLOPs, or their depths and widths are drawn evenly."""
    shard: int = Field(default=256, ge=1)
    """Runs in one Ray task and one Parquet part, at most."""
    shard_seconds: float = Field(default=120.0, gt=0)
    """About how long a Ray task takes, at most; longer runs are alone in theirs."""
    max_seconds: float | None = Field(default=None, gt=0)
    """Time limit of one run; a run that takes longer becomes a failed row."""
    max_failed: float = Field(default=0.2, ge=0, le=1)
    """Share of runs that fail or diverge at which the job stops, once it has done some."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed by which students are drawn."""
    track: tuple[Tracking, ...] = ()
    """Where each KD run is also told: worth it for some hundreds of runs."""
    tracking: str = "./tracking"
    """Folder of TensorBoard's files, on the machine where this process runs."""

    @classmethod
    def of_teacher(cls, config: TeacherConfig) -> "CollectConfig":
        """The one teacher of another configuration, as a meta-dataset's only one."""
        return cls(
            store=config.store,
            address=config.address,
            resources=config.resources,
            datasets=(config.dataset,),
            space=config.space,
            teacher=config.teacher,
            network=config.network,
            teacher_seeds=(config.teacher_seed,),
        )
