"""Fields that several configurations have, and how they are written in YAML."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from dass_ray.frozen import Frozen
from dass_ray.recipe import DISTILL, TEACHERS, KDRecipe, TeacherRecipe
from dass_ray.space import Space, preset

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


Tracking = Literal["tensorboard", "mlflow", "wandb"]
"""Where people watch runs, beside the store; see tracking/."""
