"""Predictors: what they see, how they are meta-trained, judged and recorded."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from dass_ray.config.base import StoreConfig
from dass_ray.config.fields import NAME, SpaceField
from dass_ray.frozen import Frozen
from dass_ray.space import MICRO

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
