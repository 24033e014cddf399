"""Configuration of every command, as models that check what they are given."""

from dass_ray.config.base import ELSEWHERE, Resources, StoreConfig
from dass_ray.config.collect import CollectConfig
from dass_ray.config.fields import NAME, Tracking
from dass_ray.config.predictor import (
    Encodings,
    EvaluateConfig,
    MetaTrainConfig,
    RecordConfig,
    Signal,
)
from dass_ray.config.search import Choosing, CompareConfig, Objective, SearchConfig, VerifyConfig
from dass_ray.config.teacher import ImportConfig, TeacherConfig

__all__ = [
    "ELSEWHERE",
    "NAME",
    "Choosing",
    "CollectConfig",
    "CompareConfig",
    "Encodings",
    "EvaluateConfig",
    "ImportConfig",
    "MetaTrainConfig",
    "Objective",
    "RecordConfig",
    "Resources",
    "SearchConfig",
    "Signal",
    "StoreConfig",
    "TeacherConfig",
    "Tracking",
    "VerifyConfig",
]
