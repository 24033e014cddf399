import json

import pytest

from dass_ray.errors import UserError
from dass_ray.predictor import checkpoint, included
from dass_ray.space import MICRO, PAPER, PRESETS, Space

from ..make import TINY, Memory


def test_each_comes_with_the_weights_that_its_card_names():
    folders = included._folders()
    assert folders
    sizes = 0
    for folder in folders:
        card = json.loads(folder.joinpath("card.json").read_text())
        names = {"card.json", f"{card['fingerprint'][:16]}.safetensors"}
        assert {file.name for file in folder.iterdir()} == names
        assert card["name"] == folder.name
        assert included.folder(Space.model_validate(card["space"])).name == folder.name
        sizes += sum(len(file.read_bytes()) for file in folder.iterdir())
    assert sizes < 10 * 2**20


@pytest.mark.parametrize("space", [MICRO, PRESETS["micro-mobile"]], ids=lambda space: space.name)
def test_one_for_a_space_and_for_shallower_ones(space):
    shallow = Space.model_validate(space.model_dump() | {"name": "shallow", "max_depth": 2})
    for asked in (space, shallow):
        card, predictor = checkpoint.load(Memory(), "shipped", asked)
        assert card.space == predictor.space == space


@pytest.mark.parametrize(
    ("space", "here"), [(PAPER, "-s space=paper"), (TINY, "-c FILE")], ids=["preset", "own"]
)
def test_a_space_without_one_is_told_the_commands(space, here):
    with pytest.raises(UserError, match=f"comes with dass-ray for the space '{space.name}' ") as e:
        checkpoint.load(Memory(), "shipped", space)
    line = str(e.value)
    assert f"`dass-ray collect {here} -s 'datasets=" in line
    assert f"`dass-ray meta-train {here} -s name=mine" in line
    assert "only for micro-mobile and micro: make one" in line
    assert "\n" not in line
