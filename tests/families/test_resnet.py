"""What was written before there were other families stays as it is, to the byte."""

import json
from importlib.resources import files

import numpy as np
import pytest

from dass_ray.frozen import content_hash
from dass_ray.predictor import checkpoint
from dass_ray.predictor.scorer import TaskScorer
from dass_ray.space import MICRO, PAPER, Space

from .. import make_task
from ..make import TINY, Memory

MULTIPLIERS = "[0.5,0.5625,0.625,0.6875,0.75,0.8125,0.875,0.9375,1.0]"


@pytest.mark.parametrize(
    ("space", "expected"),
    [(MICRO, "18be4e8d22e3f167"), (PAPER, "2dd6fac8176f9fbf"), (TINY, "1828072bef5eac23")],
    ids=lambda value: getattr(value, "name", ""),
)
def test_hashes_are_those_of_version_0_1_0(space, expected):
    assert content_hash(space)[:16] == expected


def test_json_is_that_of_version_0_1_0():
    text = (
        '{"name":"tiny","image_size":8,"widths":[4,8],"strides":[1,2],"max_depth":2,'
        f'"multipliers":{MULTIPLIERS}}}'
    )
    assert TINY.model_dump_json() == text
    named = Space.model_validate({**json.loads(text), "family": "resnet"})
    assert named == TINY
    assert named.model_dump_json() == text


def test_the_shipped_card_is_written_as_it_was_read():
    raw = files("dass_ray.predictor").joinpath("shipped", "micro-v3", "card.json").read_text()
    card, _ = checkpoint.load(Memory(), "shipped", MICRO)
    assert card.space.model_dump(mode="json") == json.loads(raw)["space"]


def test_the_shipped_predictor_scores_as_when_it_was_shipped():
    """Later code must read it, and see students, as the code that made it did."""
    _, predictor = checkpoint.load(Memory(), "shipped", MICRO)
    scorer = TaskScorer(predictor, make_task.teacher(MICRO, 3), 0.8, make_task.dataset(16))
    found = scorer.score(MICRO.sample(32, np.random.default_rng(5))).predicted[:4]
    expected = [0.7885003090, 0.7922372818, 0.7821364999, 0.7914828062]
    assert found.tolist() == pytest.approx(expected, abs=1e-5)
