"""Searches, and several ways of searching compared."""

from typing import Literal, Self

from pydantic import Field, model_validator

from dass_ray.config.fields import NAME, KDField, Tracking
from dass_ray.config.teacher import TeacherConfig
from dass_ray.frozen import Frozen
from dass_ray.limits import Limits
from dass_ray.recipe import DISTILL

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
