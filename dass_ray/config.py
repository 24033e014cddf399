"""Configuration of every command, as models that check what they are given."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from dass_ray.frozen import Frozen
from dass_ray.limits import Limits
from dass_ray.network import Network
from dass_ray.recipe import DISTILL, TEACHERS, KDRecipe, TeacherRecipe
from dass_ray.space import MICRO, Space, preset

NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def _space(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    if isinstance(value, dict) and "preset" in value:
        raise ValueError(
            "a preset is taken as it is: write the whole space, as in docs/FAMILIES.md"
        )
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


def _one_or_more(value: Any) -> Any:  # noqa: ANN401 - raw YAML
    return value if isinstance(value, list | tuple) else (value,)


SpaceField = Annotated[Space, BeforeValidator(_space)]
TeacherField = Annotated[TeacherRecipe, _over(TEACHERS)]
KDField = Annotated[KDRecipe, _over(DISTILL)]
KDFields = Annotated[tuple[KDField, ...], BeforeValidator(_one_or_more), Field(min_length=1)]


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


Choosing = Literal["top", "diverse", "front", "improvement"]
"""How students to distil are chosen from the candidates; see verify.py."""


class VerifyConfig(Frozen):
    """How many students are really distilled in a search, and which."""

    top: int = Field(default=4, ge=1)
    """Students that are distilled because of their score."""
    random: int = Field(default=4, ge=0)
    """Random students within the same limits, to show what the predictor was worth."""
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    """KD seeds; each student is distilled with every one."""
    rounds: int = Field(default=1, ge=1)
    """Rounds, each of which scores its share of the candidates and distils its share of the top
    ones, by a predictor that has learned from the students that were distilled before."""
    choose: Choosing = "top"
    """top: the highest predictions; diverse: unlike ones among the highest; front: spread over the
    front of the objectives; improvement: the highest expected improvement on the best verified."""

    @model_validator(mode="after")
    def _some_in_every_round(self) -> Self:
        if self.rounds > self.top:
            raise ValueError("rounds must be at most top, so that each distils a top student")
        return self


Objective = Literal["accuracy", "accuracy_lower", "accuracy_upper", "params", "flops", "latency"]
"""What a search optimises; lower and upper: one standard deviation below or above the mean."""


Tracking = Literal["tensorboard", "mlflow", "wandb"]
"""Where people watch runs, beside the store; see tracking/."""


class SearchConfig(TeacherConfig):
    """A search: task, limits, how to explore and how much to verify."""

    name: str | None = Field(default=None, pattern=NAME)
    """Identity of the search in the store; by default made of data set and configuration."""
    kd: KDField = DISTILL["micro"]
    """Recipe of the distillation: a preset, or changes to one."""
    predictor: str = "shipped"
    """`shipped`, or the name of a predictor in the store."""
    limits: Limits = Limits()
    """Upper limits that every student keeps."""
    latency: str | None = None
    """A table of `dass-ray latency measure`, for limits.latency and the objective."""
    objectives: tuple[Objective, ...] = Field(default=("accuracy", "flops"), min_length=1)
    """What is optimised."""
    sampler: Literal["guided", "nsga2", "tpe", "random"] = "guided"
    """Who proposes candidates: ours, or one of Optuna's."""
    candidates: int = Field(default=2048, ge=1)
    """Students to score; a finished search goes on where this or verify.top is raised."""
    batch: int = Field(default=256, ge=1)
    """Candidates asked from Optuna and scored in one Tune trial."""
    precision: Literal["float32", "bfloat16"] = "float32"
    """Of the convolutions behind a score; bfloat16 is refused where it changes the ranking."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the sampler."""
    verify: VerifyConfig = VerifyConfig()
    """Which students are really distilled."""
    teachers: tuple[str, ...] = Field(default=(), exclude_if=lambda names: not names)
    """Several teachers of the store, instead of teacher_id: which one to distil a student from is
    chosen with the student."""
    track: tuple[Tracking, ...] | None = None
    """Where search and KD runs are also told; null: to TensorBoard, where it is installed."""
    tracking: str = "./tracking"
    """Folder of TensorBoard's files, on the machine where this process runs."""

    @model_validator(mode="after")
    def _names_its_teachers_once(self) -> Self:
        if self.teachers and self.teacher_id is not None:
            raise ValueError("teacher_id and teachers are both set: leave one of them away")
        if twice := [name for name in self.teachers if self.teachers.count(name) > 1]:
            raise ValueError(f"the teacher {twice[0]!r} is named twice: name each once")
        return self

    @model_validator(mode="after")
    def _has_what_it_optimises(self) -> Self:
        if len(set(self.objectives)) < len(self.objectives):
            raise ValueError("an objective is named twice")
        limited = any(limits.latency is not None for limits in self._all_limits())
        if (limited or "latency" in self.objectives) and self.latency is None:
            raise ValueError(
                "latency needs a table: `dass-ray latency measure NAME`, then latency: NAME"
            )
        return self

    def _all_limits(self) -> tuple[Limits, ...]:
        return (self.limits,)


class CompareConfig(SearchConfig):
    """One task searched in several ways, under several limits and at equal cost."""

    under: tuple[Limits, ...] = Field(min_length=1)
    """Limits, each of which is searched under; `limits` itself is not looked at."""
    baselines: tuple[str, ...] = ("nwot",)
    """Zero-cost scores, each of which chooses its own `verify.top` students from the pool."""
    pool: int = Field(default=256, ge=2)
    """Random students within the limits that a baseline chooses from."""
    images: int = Field(default=64, ge=2)
    """Training images that a zero-cost score looks at."""

    def _all_limits(self) -> tuple[Limits, ...]:
        return self.under

    @model_validator(mode="after")
    def _of_one_teacher(self) -> Self:
        if self.teachers:
            raise ValueError("ways are compared on one teacher: set teacher_id, not teachers")
        return self

    @model_validator(mode="after")
    def _has_random_ones(self) -> Self:
        if self.verify.random == 0:
            raise ValueError("random students are one of the ways: set verify.random, as to 8")
        return self


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


Signal = Literal["ridge", "accuracy", "kl", "similarity", "early_similarity", "rank", "zen", "nwot"]
"""What the remapped, untrained student does with real images; see predictor/signals.py."""


class Encodings(Frozen):
    """What a predictor sees of a task and its students; each input can be switched off.

    The paper's choice is S, T and A with one noise image of the space's size, no summary and no
    signals. The defaults are what ranked best on left-out data sets: see docs/PREDICTOR.md.
    """

    student: bool = False
    """S: the last activation map of the remapped student."""
    teacher: bool = False
    """T: that of the teacher."""
    architecture: bool = False
    """A: whether each block exists, its width, and what else its family lets vary."""
    summary: bool = True
    """A in few numbers: each stage's depth and mean block, log parameters and FLOPs."""
    dataset: bool = False
    """D: a set encoder over training images."""
    signals: tuple[Signal, ...] = ("kl", "zen", "nwot")
    """Figures of the remapped student on training images, relative to random students."""
    probe: Literal["noise", "images"] = "noise"
    """What goes through the networks to give the maps: Gaussian noise or training images."""
    probes: int = Field(default=1, ge=1)
    """Images of the probe; their maps are averaged."""
    probe_size: int | None = Field(default=None, ge=8)
    """Side of the probe in px; None is the space's."""
    use: Literal["map", "mean"] = "map"
    """The whole activation map, or each channel's mean."""
    images: int = Field(default=128, ge=32)
    """Training images behind the signals."""

    @property
    def sees_images(self) -> bool:
        """Whether a task's data set is needed, beside its teacher."""
        return bool(self.signals) or self.dataset or self.probe == "images"

    @model_validator(mode="after")
    def _tells_students_apart(self) -> Self:
        if not (self.student or self.architecture or self.summary or self.signals):
            raise ValueError(
                "student, architecture, summary and signals are off: nothing tells students apart"
            )
        if len(set(self.signals)) < len(self.signals):
            raise ValueError("a signal is named twice")
        return self


class MetaTrainConfig(StoreConfig):
    """A predictor: its tasks, what it sees and how it is meta-trained."""

    name: str = Field(pattern=NAME)
    """Name of the predictor in the store."""
    space: SpaceField = MICRO
    """Space of the students; runs of shallower ones count too."""
    train: tuple[str, ...] = Field(min_length=1)
    """Data sets whose runs are learned from."""
    validation: tuple[str, ...] = Field(min_length=1)
    """Data sets whose runs choose the checkpoint and calibrate the intervals."""
    without_teachers: tuple[str, ...] = ()
    """Teachers whose runs are left out, by identity."""
    encodings: Encodings = Encodings()
    """What the predictor sees."""
    members: int = Field(default=5, ge=1)
    """Networks of the ensemble, trained in one batch."""
    hidden: int = Field(default=64, ge=1)
    """Units of a hidden layer."""
    adaptation: Literal["second", "first", "none"] = "none"
    """Order of the gradient through the inner steps on the teacher; without steps, none."""
    inner_steps: int = Field(default=1, ge=1)
    """Steps of the adaptation."""
    inner_lr: float = Field(default=0.005, gt=0)
    """First value of the learned step sizes of the adaptation."""
    learning: Literal["residuals", "gradient"] = "residuals"
    """How verified students of a new task are learned from: by a Gaussian process over the
    ensemble's residuals, or by the inner steps."""
    support: int = Field(default=0, ge=0)
    """Most verified students that join the teacher in an episode's inner steps."""
    normalise: Literal["teacher", "task"] = "task"
    """Accuracies relative to the teacher's, or standardised by task."""
    ranking: Literal["none", "pairwise", "listwise"] = "none"
    """A ranking loss beside the squared error."""
    ranking_weight: float = Field(default=1.0, gt=0)
    """Its weight."""
    lr: float = Field(default=5e-4, gt=0)
    """Learning rate of AdamW."""
    weight_decay: float = Field(default=0.0, ge=0)
    """Weight decay of AdamW."""
    episodes: int = Field(default=1000, ge=1)
    """Steps of the meta-training, at the most."""
    tasks: int = Field(default=8, ge=1)
    """Tasks in one episode, at most as many as there are."""
    queries: int = Field(default=50, ge=2)
    """Students of each task in one episode, at most as many as there are."""
    validate_every: int = Field(default=25, ge=1)
    """Episodes between two validations."""
    patience: int = Field(default=400, ge=1)
    """Episodes without a better validation after which training stops."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of weights and episodes."""

    @model_validator(mode="after")
    def _apart(self) -> Self:
        if both := sorted(set(self.train) & set(self.validation)):
            raise ValueError(f"{both[0]!r} is in train and in validation: choose one of them")
        return self

    @model_validator(mode="after")
    def _halves_its_probe_evenly(self) -> Self:
        size, factor = self.encodings.probe_size, math.prod(self.space.strides)
        if size is not None and size % factor:
            raise ValueError(
                f"encodings.probe_size {size} is no multiple of {factor}, the strides' product"
            )
        return self

    @model_validator(mode="after")
    def _steps_to_learn_by(self) -> Self:
        if self.adaptation == "none" and (self.learning == "gradient" or self.support):
            raise ValueError(
                "learning: gradient and support need inner steps: set adaptation to second or first"
            )
        return self


class EvaluateConfig(StoreConfig):
    """How a predictor ranks students of tasks that it has not seen, beside every baseline."""

    predictor: str = "shipped"
    """`shipped`, or the name of a predictor in the store."""
    space: SpaceField = MICRO
    """Space of the predictor."""
    datasets: tuple[str, ...] = Field(min_length=1)
    """Data sets with finished runs; of several KD seeds where the noise ceiling is wanted."""
    without_teachers: tuple[str, ...] = ()
    """Teachers whose runs are left out, by identity, as those that the predictor learned from."""
    top: int = Field(default=5, ge=1)
    """k of precision@k and regret@k."""
    images: int = Field(default=64, ge=2)
    """Training images that the zero-cost scores look at."""
    given: tuple[Annotated[int, Field(ge=2)], ...] = (5, 10, 20)
    """Real runs of the target task that the fitted baselines, and the predictor, are given."""
    repeats: int = Field(default=10, ge=1)
    """Draws of these runs."""
    ablations: Mapping[str, Mapping[str, Any]] = {}
    """Name -> changes to the predictor's meta-training; each is trained and judged beside it."""


class RecordConfig(StoreConfig):
    """A file of recorded runs, for `dass-ray replay`."""

    name: str = Field(default="micro", pattern=NAME)
    """Name in the file's card."""
    space: SpaceField = MICRO
    """Space of the students."""
    datasets: tuple[str, ...] = Field(min_length=1)
    """Data sets with finished runs."""
    predictor: str = "shipped"
    """Its predictions are recorded for the tasks that it has not seen."""
    images: int = Field(default=64, ge=2)
    """Training images that the zero-cost scores look at."""
