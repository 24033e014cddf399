"""Teachers, trained here or elsewhere."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from dass_ray.config.base import StoreConfig
from dass_ray.config.fields import SpaceField, TeacherField
from dass_ray.network import Network
from dass_ray.recipe import TEACHERS
from dass_ray.space import MICRO


class TeacherConfig(StoreConfig):
    """One teacher: a data set, the space of its students, a network, recipe and seed."""

    dataset: str
    """Name in the store, or one that comes with this: digits, textures:SEED."""
    space: SpaceField = MICRO
    """A preset (micro, paper), or a space of your own."""
    teacher: TeacherField = TEACHERS["micro"]
    """Recipe of the teacher, where it is not there yet: a preset, or changes to one."""
    network: Network | None = None
    """A network from elsewhere to be the teacher; None: the largest one of the space."""
    teacher_seed: int = Field(default=0, ge=0)
    """Seed of that training."""
    teacher_id: str | None = None
    """A teacher of the store (`dass-ray teacher list`); None: the one that the recipe makes."""


class ImportConfig(StoreConfig):
    """A teacher that was trained elsewhere: what it knows, and how its proxy is distilled."""

    dataset: str
    """Name of the data set that it knows."""
    space: SpaceField = MICRO
    """Space of its students: a preset (micro, paper), or one of your own."""
    network: Mapping[str, Any] = Field(default={})
    """Fields of a Network that the source does not tell."""
    teacher: TeacherField = TEACHERS["micro"]
    """Recipe by which the proxy of a network from elsewhere is distilled."""
