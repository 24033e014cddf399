import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dass_ray.recipe import DISTILL, HINTON, TEACHERS, KDRecipe, Losses

from .make import KD, few


def changed(**change):
    return KDRecipe(**KD.model_dump() | change)


@few
@given(st.integers(1, 5000), st.integers(1, 40), st.integers(0, 900), st.integers(2, 128))
def test_epochs_are_the_fewest_that_give_the_steps(images, epochs, min_steps, batch_size):
    recipe = changed(epochs=epochs, min_steps=min_steps, batch_size=batch_size)
    steps = max(1, images // batch_size)  # of an epoch
    found = recipe.epochs_for(images)
    assert found >= epochs
    assert found * steps >= min_steps
    assert found == epochs or (found - 1) * steps < min_steps


def test_epochs_by_hand():
    recipe = changed(epochs=6, min_steps=200, batch_size=64)
    assert [recipe.epochs_for(n) for n in (10_000, 640, 100, 10)] == [6, 20, 200, 200]


def test_the_paper_recipe():
    kd, teacher = DISTILL["paper"], TEACHERS["paper"]
    assert (kd.epochs, kd.batch_size, kd.lr, kd.weight_decay) == (50, 64, 0.05, 3e-5)
    assert (kd.alpha, kd.temperature, kd.momentum, kd.crop_padding) == (0.5, 6.0, 0.9, 8)
    assert (teacher.epochs, teacher.label_smoothing, teacher.lr) == (180, 0.1, 0.05)
    assert (kd.start, kd.flip, kd.warmup, kd.clip_norm) == ("first", True, 0, None)


def test_presets_have_the_same_names():
    assert set(DISTILL) == set(TEACHERS) == {"micro", "paper"}


@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("epochs", 0), ("min_steps", -1), ("batch_size", 1), ("lr", 0), ("warmup", 1),
        ("momentum", 1), ("weight_decay", -1), ("clip_norm", 0), ("crop_padding", -1),
        ("alpha", 1.1), ("alpha", -0.1), ("temperature", 0), ("views", 0), ("start", "middle"),
        ("precision", "float16"), ("losses", {}), ("losses", {"logits": 0}),
        ("losses", {"dist": -1}),
    ],
)  # fmt: skip
def test_values_out_of_range_are_refused(field, wrong):
    with pytest.raises(ValidationError, match=field):
        changed(**{field: wrong})


def test_what_has_its_default_is_left_out_of_the_json():
    """Else the keys and rows of runs that were done before would be others."""
    plain = KD.model_dump_json()
    assert "losses" not in plain
    assert "precision" not in plain
    for name, value in (("losses", {"logits": 1, "hints": 0}), ("precision", "float32")):
        assert changed(**{name: value}).model_dump_json() == plain
    other = changed(losses={"dist": 2, "logits": 0}, precision="bfloat16")
    assert '"losses":{"dist":2.0},' in other.model_dump_json()
    assert other.model_dump_json().endswith('"precision":"bfloat16"}')
    for recipe in (KD, other):
        assert KDRecipe.model_validate_json(recipe.model_dump_json()) == recipe
        assert hash(KDRecipe(**recipe.model_dump())) == hash(recipe)


def test_losses_that_are_not_named_have_no_weight():
    assert KD.losses == HINTON == Losses(logits=1)
    assert changed(losses={"attention": 3}).losses == Losses(attention=3, logits=0)


@pytest.mark.parametrize("name", Losses.model_fields)
def test_which_losses_look_at_stages(name):
    assert Losses(**{name: 1}).of_stages == (name in {"attention", "hints", "relational"})
