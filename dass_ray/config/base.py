"""Where work is done and kept: what every configuration begins with."""

from typing import Annotated, Literal

from pydantic import Field

from dass_ray.frozen import Frozen


class Resources(Frozen):
    """What KD runs and scorers ask Ray for."""

    cpus_per_run: float = Field(default=1, gt=0)
    """CPUs of one distillation, and its threads."""
    gpus_per_run: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = 0.25
    """Share of a GPU, so that several short runs fill one; unused where there is no GPU. auto: by
    the memory of the largest student, measured on each type of GPU that the cluster has at the
    beginning; a teacher then gets a whole GPU. Smaller GPUs that join later need a number."""
    workers_per_run: int = Field(default=1, ge=1)
    """Workers that share each batch of one distillation, for runs that are too long for one device;
    each gets cpus_per_run, and a whole GPU where there are some. See docs/DISTILLATION.md."""
    scorers: int | None = Field(default=None, ge=1)
    """Actors that score candidates; by default one for each GPU, or else each CPU."""
    shared_gib: float = Field(default=4.0, gt=0)
    """GiB of data sets, teachers and soft labels that are kept in Ray's object store, at most; a
    task that needs more is run alone."""


class StoreConfig(Frozen):
    """Where results go and which Ray does the work."""

    store: str = "./store"
    """./folder, file:///folder or s3://bucket/prefix."""
    address: str | None = None
    """Address of a Ray cluster; None starts a Ray on this machine, or joins the job's own."""
    resources: Resources = Resources()
    """What runs and scorers ask Ray for."""


ELSEWHERE = {*StoreConfig.model_fields, "track", "tracking"}
"""Settings that may differ from call to call: they decide no result."""
