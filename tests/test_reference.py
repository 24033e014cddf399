"""The reference of settings: whole, true, and the same in the docs."""

from pathlib import Path

import pytest

from dass_ray import reference
from dass_ray.config import Resources
from dass_ray.errors import UserError

DOCS = Path(__file__).parents[1] / "docs" / "CONFIG.md"
MODELS = {
    of: None
    for model in reference.COMMANDS.values()
    for of in (model, *reference.inner(model))
}  # fmt: skip


def test_the_docs_are_up_to_date():
    wanted = reference.markdown()
    assert DOCS.read_text() == wanted, "write them: dass-ray config --markdown > docs/CONFIG.md"


@pytest.mark.parametrize("model", MODELS)
def test_every_setting_is_explained(model):
    assert [one.key for one in reference.settings(model) if not one.about.endswith(".")] == []


def test_types_bounds_and_defaults_are_the_models_own():
    of = {one.key: one for one in reference.settings(reference.command("search"))}
    assert (of["dataset"].kind, of["dataset"].default) == ("str", "required")
    assert (of["seed"].kind, of["seed"].default) == ("int ≥ 0, < 4294967296", "0")
    assert (of["kd"].kind, of["kd"].default) == ("[KDRecipe](#kdrecipe)", "micro")
    assert of["objectives"].default == "[accuracy, flops]"
    assert reference.words(of["sampler"].kind) == "guided | nsga2 | tpe | random"
    collect = {one.key: one for one in reference.settings(reference.command("collect"))}
    assert (collect["kd"].kind, collect["kd"].default) == ("list of [KDRecipe](#kdrecipe)", "micro")
    assert collect["max_seconds"].kind == "float > 0, or null"
    resources = {one.key: one for one in reference.settings(Resources)}
    assert resources["gpus_per_run"].kind == "float > 0, ≤ 1, or auto"


def test_a_command_without_settings_is_said():
    with pytest.raises(UserError, match="'runs' has no config; those that have: search, teacher"):
        reference.command("runs")
