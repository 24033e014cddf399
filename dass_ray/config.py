"""Configuration of every command: YAML file, then `--set a.b=value`, checked when it is read."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BeforeValidator, Field

from dass_ray.cost import Limits
from dass_ray.errors import UserError
from dass_ray.frozen import Frozen
from dass_ray.recipe import DISTILL, TEACHERS, KDRecipe, TeacherRecipe
from dass_ray.space import MICRO, Space, preset

F = TypeVar("F", bound=Frozen)
NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def _space(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    return preset(value) if isinstance(value, str) else value


def _over(presets: Mapping[str, Frozen]) -> BeforeValidator:
    """A recipe is written as a preset's name, or as changes to one: {preset: paper, epochs: 9}."""

    def fill(value: Any) -> Any:  # noqa: ANN401 - raw YAML
        if isinstance(value, str):
            value = {"preset": value}
        if not isinstance(value, dict):
            return value
        name = value.get("preset", "micro")
        if not isinstance(name, str) or name not in presets:
            raise ValueError(f"no recipe is called {name!r}; known: {', '.join(presets)}")
        return presets[name].model_dump() | {k: v for k, v in value.items() if k != "preset"}

    return BeforeValidator(fill)


SpaceField = Annotated[Space, BeforeValidator(_space)]
TeacherField = Annotated[TeacherRecipe, _over(TEACHERS)]
KDField = Annotated[KDRecipe, _over(DISTILL)]


class Resources(Frozen):
    """What KD runs and scorers ask Ray for."""

    cpus_per_run: float = Field(default=1, gt=0)
    gpus_per_run: float = Field(default=0.25, gt=0, le=1)
    """Share of a GPU, so that several short runs fill one; unused where there is no GPU."""
    scorers: int = Field(default=1, ge=1)


class StoreConfig(Frozen):
    """Where results go and which Ray does the work."""

    store: str = "./store"
    address: str | None = None
    """Address of a Ray cluster; None starts a Ray on this machine, or joins the job's own."""
    resources: Resources = Resources()


class TeacherConfig(StoreConfig):
    """One teacher: a data set, the space whose largest network it is, recipe and seed."""

    dataset: str
    space: SpaceField = MICRO
    teacher: TeacherField = TEACHERS["micro"]
    teacher_seed: int = Field(default=0, ge=0)
    teacher_id: str | None = None
    """A teacher of the store (`dass-ray teacher list`); None: the one that the recipe makes."""


class VerifyConfig(Frozen):
    """How many students are really distilled after a search."""

    top: int = Field(default=4, ge=1)
    random: int = Field(default=4, ge=0)
    """Random students within the same limits, to show what the predictor was worth."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)


class SearchConfig(TeacherConfig):
    """A search: task, limits, how to explore and how much to verify."""

    name: str | None = Field(default=None, pattern=NAME)
    """Identity of the search in the store; by default made of data set and configuration."""
    kd: KDField = DISTILL["micro"]
    predictor: str = "shipped"
    """`shipped`, or the name of a predictor in the store."""
    limits: Limits = Limits()
    objectives: tuple[Literal["accuracy", "params", "flops"], ...] = Field(
        default=("accuracy", "flops"), min_length=1
    )
    sampler: Literal["nsga2", "tpe", "random"] = "nsga2"
    candidates: int = Field(default=2048, ge=1)
    batch: int = Field(default=128, ge=1)
    """Candidates asked from Optuna and scored in one Tune trial."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    verify: VerifyConfig = VerifyConfig()


class CollectConfig(StoreConfig):
    """A meta-dataset: students of many tasks, distilled for real."""

    datasets: tuple[str, ...] = Field(min_length=1)
    space: SpaceField = MICRO
    teacher: TeacherField = TEACHERS["micro"]
    teacher_seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    kd: KDField = DISTILL["micro"]
    kd_seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    students: int = Field(default=30, ge=1)
    """Students of each task."""
    common: float = Field(default=0.5, ge=0, le=1)
    """Share of the students that all tasks have in common."""
    shard: int = Field(default=4, ge=1)
    """Runs in one Ray task and one Parquet part."""
    seed: int = Field(default=0, ge=0, lt=2**32)

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
            teacher_seeds=(config.teacher_seed,),
        )


class MetaTrainConfig(StoreConfig):
    """A predictor: its tasks, its size and how it is meta-trained."""

    name: str = Field(pattern=NAME)
    space: SpaceField = MICRO
    train: tuple[str, ...] = Field(min_length=1)
    """Data sets whose runs are learned from."""
    validation: tuple[str, ...] = Field(min_length=1)
    """Data sets whose runs choose the checkpoint."""
    members: int = Field(default=5, ge=1)
    hidden: int = Field(default=64, ge=1)
    inner_lr: float = Field(default=0.005, gt=0)
    """First value of the learned step sizes of the adaptation."""
    lr: float = Field(default=5e-4, gt=0)
    episodes: int = Field(default=1000, ge=1)
    queries: int = Field(default=50, ge=2)
    """Students of each task in one episode, at most as many as there are."""
    validate_every: int = Field(default=25, ge=1)
    patience: int = Field(default=400, ge=1)
    """Episodes without a better validation after which training stops."""
    seed: int = Field(default=0, ge=0, lt=2**32)


class EvaluateConfig(StoreConfig):
    """Rank correlation of a predictor on runs of tasks that it has not seen."""

    predictor: str = "shipped"
    space: SpaceField = MICRO
    datasets: tuple[str, ...] = Field(min_length=1)


def load(
    model: type[F],
    file: Path | None,
    settings: Sequence[str] = (),
    options: Mapping[str, object] | None = None,
) -> F:
    """The configuration of a YAML file, with `a.b=value` settings and then options on top.

    The values of settings are YAML too; those of options are taken as they are.

    UserError for a missing or unreadable file, a setting without `=`, an unknown key (with the
    nearest known one) or a value that does not fit.
    """
    raw = _read(file) if file else {}
    for setting in settings:
        _set(raw, setting)
    raw |= options or {}
    return model.parse(raw, str(file) if file else "the settings")


def _read(file: Path) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(file.read_text())
    except OSError as error:
        raise UserError(f"cannot read the config {file}: {error.strerror}") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{file} is not YAML: {' '.join(str(error).split())}") from None
    if raw is None:
        return {}
    if not isinstance(raw, dict):
        raise UserError(f"{file} must hold keys and values, as in `dataset: digits`")
    return raw


def _set(raw: dict[str, Any], setting: str) -> None:
    path, equals, text = setting.partition("=")
    if not equals or not path:
        raise UserError(f"--set {setting!r} needs the form key=value, as in kd.epochs=10")
    *parents, last = path.split(".")
    for parent in parents:
        inner = raw.setdefault(parent, {})
        if isinstance(inner, str):  # a preset's name that is now changed
            inner = raw[parent] = {"preset": inner}
        if not isinstance(inner, dict):
            raise UserError(f"--set {setting!r}: {parent!r} holds no keys")
        raw = inner
    try:
        raw[last] = yaml.safe_load(text)
    except yaml.YAMLError:
        raise UserError(f"--set {setting!r}: {text!r} is not a YAML value") from None
