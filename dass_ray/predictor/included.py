"""The predictors that come with the package, a folder each, for some spaces."""

import json
from importlib.resources import files
from importlib.resources.abc import Traversable

from dass_ray.errors import UserError
from dass_ray.space import PRESETS, Space


def folder(space: Space) -> Traversable:
    """Card and weights of the predictor for a space.

    UserError, with the commands that make one, where none comes with the package.
    """
    known = []
    for found in sorted(_folders(), key=lambda each: each.name):
        own = Space.model_validate(json.loads(found.joinpath("card.json").read_text())["space"])
        if own.holds(space):
            return found
        known.append(own.name)
    here = f"-s space={space.name}" if PRESETS.get(space.name) == space else "-c FILE"
    raise UserError(
        f"no predictor comes with dass-ray for the space {space.name!r} ({space.image_size} px, "
        f"widths {space.widths}), only for {' and '.join(known)}: make one with `dass-ray collect "
        f"{here} -s 'datasets=[A, B, C]'` and `dass-ray meta-train {here} -s name=mine "
        "-s 'train=[A, B]' -s 'validation=[C]'`, then set predictor=mine"
    )


def _folders() -> list[Traversable]:
    every = files("dass_ray.predictor").joinpath("shipped").iterdir()
    return [each for each in every if each.joinpath("card.json").is_file()]
