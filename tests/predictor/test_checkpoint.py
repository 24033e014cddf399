import json

import pytest
import torch

from dass_ray import __version__
from dass_ray.errors import UserError
from dass_ray.predictor.checkpoint import PredictorCard, check_name, load, save
from dass_ray.predictor.meta_train import meta_train
from dass_ray.space import Space

from ..make import ODD, TINY, Fragile, Memory
from . import make

RUNS = {"a": 24, "c": 7}


@pytest.fixture(scope="module")
def task():
    return make.runs()


@pytest.fixture(scope="module")
def found(task):
    return trained(task)


def trained(task, **changed):
    return meta_train([task], [task], make.config(episodes=2, validate_every=1, **changed))


def saved(store, found, **changed):
    return save(store, found, make.config(**changed), RUNS, "dass-ray meta-train -c x.yaml")


def scores(predictor, task):
    return predictor.adapted(task.task).score(task.students)


def test_round_trip(store, found, task):
    card = saved(store, found)
    loaded, predictor = load(store, "small", TINY)
    assert loaded == card
    expected, got = scores(found.predictor, task), scores(predictor, task)
    assert torch.equal(got.mean, expected.mean)
    assert torch.equal(got.std, expected.std)
    whole = ("units", "order", "steps", "learning", "intervals", "net")
    assert all(getattr(predictor, f) == getattr(found.predictor, f) for f in whole)


def test_the_card_tells_all(found):
    store = Memory()
    card = saved(store, found)
    assert (card.name, card.space, card.config) == ("small", TINY, make.config())
    assert (card.map_size, card.vector, card.images) == ((8, 4, 4), 8, 192)
    assert (card.runs, card.command) == (RUNS, "dass-ray meta-train -c x.yaml")
    assert (card.validation, card.episode) == (found.validation, found.episode)
    units, intervals = found.predictor.units, found.predictor.intervals
    assert (card.scale, card.offset) == (units.scale, units.offset)
    assert (card.floor, card.factors) == (intervals.floor, intervals.factors)
    assert card.code_version == __version__
    folder = "predictors/small/"
    weights = f"{folder}{card.fingerprint[:16]}.safetensors"
    assert store.list("") == sorted([weights, f"{folder}card.json"])
    assert json.loads(store.get(f"{folder}card.json"))["fingerprint"] == card.fingerprint


def test_another_space_is_a_clear_error(found):
    store = Memory()
    saved(store, found)
    like = Space(**TINY.model_dump() | {"image_size": 16})
    for space in (ODD, like):
        with pytest.raises(UserError) as caught:
            load(store, "small", space)
        line = str(caught.value)
        assert "the predictor 'small' was made for the space 'tiny' (8 px, widths (4, 8))" in line
        assert f"not for {space.name!r}: choose that space, or meta-train" in line
        assert "\n" not in line


def test_an_unknown_name_lists_the_known_ones(found):
    store = Memory()
    with pytest.raises(UserError, match=r"no predictor 'smal' in memory://; known: shipped$"):
        load(store, "smal", TINY)
    saved(store, found)
    with pytest.raises(UserError, match=r"known: shipped, small$"):
        load(store, "smal", TINY)


def test_the_same_predictor_again_changes_nothing(found, task):
    store = Memory()
    card = saved(store, found)
    before = dict(store.objects)
    assert saved(store, trained(task)) == card  # trained anew with the same seed
    assert store.objects == before


def test_another_predictor_of_that_name_is_refused(found, task):
    store = Memory()
    saved(store, found)
    before = dict(store.objects)
    with pytest.raises(UserError, match="another predictor called 'small': choose another name"):
        saved(store, trained(task, seed=1))
    assert store.objects == before


def test_a_name_is_checked_before_the_training(found):
    store = Memory()
    check_name(store, "small")
    saved(store, found)
    for name in ("small", "shipped"):
        with pytest.raises(UserError, match=f"a predictor called '{name}' already: choose ano"):
            check_name(store, name)


def test_a_crash_before_the_card_leaves_no_predictor(found, task):
    store = Fragile(fail_at=2)
    with pytest.raises(ConnectionError):
        saved(store, found)
    with pytest.raises(UserError, match="no predictor 'small'"):
        load(store, "small", TINY)
    saved(store, found)
    predictor = load(store, "small", TINY)[1]
    assert torch.equal(scores(predictor, task).mean, scores(found.predictor, task).mean)


def test_weights_that_are_no_weights(found):
    store = Memory()
    card = saved(store, found)
    store.objects[f"predictors/small/{card.fingerprint[:16]}.safetensors"] = b"nonsense"
    with pytest.raises(UserError, match="'small' is not a readable safetensors file"):
        load(store, "small", TINY)


def test_a_card_of_another_version_is_a_clear_error(found):
    store = Memory()
    saved(store, found)
    path = "predictors/small/card.json"
    card = json.loads(store.objects[path]) | {"colour": "red"}
    store.objects[path] = json.dumps(card).encode()
    with pytest.raises(UserError, match="'small' was made by another version of dass-ray"):
        load(store, "small", TINY)


def test_cards_survive_json(found):
    card = saved(Memory(), found)
    assert PredictorCard.model_validate_json(card.model_dump_json()) == card
